from __future__ import annotations

import pytest

from gateway.admission.deadline import Deadline
from gateway.catalog import Variant, build_catalog
from gateway.classification.brown_out import BrownOutBounds, reduce_to_place
from gateway.classification.values import ClassifyRequest
from gateway.contract.manifest import ModalitySet, Quality
from gateway.errors import AdmissionRefusedError
from gateway.placement import Degraded, Placement, PoolName
from gateway.routing.subject import Subject
from tests.gateway.manifests import make_manifest

BOUNDS = BrownOutBounds(max_calibration_error=0.05, max_accuracy_loss=0.05)
BROWNED_OUT = Placement(PoolName.CPU, Degraded.BROWN_OUT)


def make_variant(text: tuple[float, float], image: tuple[float, float]) -> Variant:
    """Makes a variant from accuracy and calibration error of each input; both: 0.9 and 0.02."""
    reports = {
        ModalitySet.BOTH: (0.9, 0.02), ModalitySet.TEXT: text, ModalitySet.IMAGE: image
    }  # fmt: skip
    manifests = {
        modalities: make_manifest(modalities).model_copy(
            update={
                "quality": Quality(
                    examples=100,
                    accuracy=accuracy,
                    macro_f1=accuracy,
                    expected_calibration_error=calibration_error,
                )
            }
        )
        for modalities, (accuracy, calibration_error) in reports.items()
    }
    texts = {str(name): manifest.model_dump_json() for name, manifest in manifests.items()}
    return build_catalog(texts).variants["demo"]


def make_request(
    placement: Placement | None, image: bytes | None = b"i", text: str | None = "t"
) -> ClassifyRequest:
    return ClassifyRequest(
        image, text, 5, None, "r", Deadline(0.0, 0.5), "caller", Subject("r", None), placement
    )


@pytest.mark.parametrize(
    ("text", "image", "kept"),
    [
        ((0.88, 0.03), (0.86, 0.03), ModalitySet.TEXT),
        ((0.86, 0.03), (0.88, 0.03), ModalitySet.IMAGE),
        ((0.88, 0.08), (0.86, 0.03), ModalitySet.IMAGE),  # the text is worse calibrated
        ((0.80, 0.03), (0.70, 0.03), None),  # both lose too much
        ((0.88, 0.08), (0.70, 0.03), None),
    ],
)
def test_fallback_is_the_best_input_that_the_report_vouches_for(
    text: tuple[float, float], image: tuple[float, float], kept: ModalitySet | None
) -> None:
    assert BOUNDS.fallback(make_variant(text, image)) is kept


def test_reduce_leaves_out_what_the_place_is_not_for() -> None:
    variant = make_variant((0.88, 0.03), (0.86, 0.03))
    reduced = reduce_to_place(make_request(BROWNED_OUT), variant, BOUNDS)
    assert (reduced.image, reduced.text) == (None, "t")
    assert reduced.modalities is ModalitySet.TEXT


@pytest.mark.parametrize("placement", [None, Placement(PoolName.CPU, Degraded.SPILL)])
def test_reduce_leaves_other_requests_as_they_are(placement: Placement | None) -> None:
    request = make_request(placement)
    variant = make_variant((0.88, 0.03), (0.86, 0.03))
    assert reduce_to_place(request, variant, BOUNDS) is request


def test_reduce_refuses_what_has_one_input_or_no_good_report() -> None:
    good, bad = make_variant((0.88, 0.03), (0.8, 0.1)), make_variant((0.5, 0.1), (0.5, 0.1))
    with pytest.raises(AdmissionRefusedError):
        reduce_to_place(make_request(BROWNED_OUT, image=None), good, BOUNDS)
    with pytest.raises(AdmissionRefusedError):
        reduce_to_place(make_request(BROWNED_OUT), bad, BOUNDS)
