from __future__ import annotations

import numpy as np
import pytest

from gateway.contract.manifest import DualTower, EnsembleManifest, VariantKind
from gateway.contract.zero_shot import is_template, label_direction, label_logits, prompts_of
from tests.gateway.manifests import make_manifest


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("{label}", True),
        ("a photo of a {label}.", True),
        ("no label", False),
        ("{label}{label}", False),
    ],
)
def test_is_template_wants_the_placeholder_exactly_once(text: str, holds: bool) -> None:
    assert is_template(text) is holds


def test_prompts_of_label_with_braces_puts_it_in_as_it_is() -> None:
    assert prompts_of("{0} {label}", ("a {label}!",)) == ("a {0} {label}!",)


def test_label_direction_of_several_prompts_is_their_mean_at_unit_length() -> None:
    prompts = np.array([[1, 0], [0, 1]], dtype=np.float32)

    direction = label_direction(prompts)

    assert direction.dtype == np.float32
    # One rounding of fp32 in the square root and one in the division.
    assert np.allclose(direction, [0.5**0.5, 0.5**0.5], atol=1e-6)


def test_label_logits_of_a_weighted_sum_are_the_weighted_sum_of_logits() -> None:
    rng = np.random.default_rng(0)
    text, image = rng.normal(size=(2, 8)).astype(np.float32)
    labels = rng.normal(size=(3, 8)).astype(np.float32)

    fused = label_logits(0.3 * text + 0.7 * image, labels, 10.0, 0.0)

    apart = [label_logits(each, labels, 10.0, 0.0) for each in (text, image)]
    # Sums of eight fp32 products of magnitude 10 in another order.
    assert np.allclose(fused, 0.3 * apart[0] + 0.7 * apart[1], atol=1e-4)


def fields_of(**changes: object) -> dict[str, object]:
    return {**make_manifest().model_dump(mode="json"), **changes}


def dual_tower(**changes: object) -> dict[str, object]:
    tower = DualTower(
        embedding_dim=4,
        activation="softmax",
        logit_scale=10.0,
        logit_bias=0.0,
        templates=("{label}",),
        measured_labels=("cat", "dog"),
    )
    return {**tower.model_dump(mode="json"), **changes}


def test_manifest_with_dual_tower_is_of_that_kind() -> None:
    manifest = EnsembleManifest.model_validate(fields_of(labels=(), dual_tower=dual_tower()))

    assert manifest.kind is VariantKind.DUAL_TOWER
    assert make_manifest().kind is VariantKind.CLASSIFIER


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("one",)}, "at least two labels"),
        ({"dual_tower": dual_tower()}, "no labels of its own"),
        ({"labels": (), "dual_tower": dual_tower(templates=["none"])}, "exactly once"),
    ],
)
def test_manifest_that_mixes_kinds_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnsembleManifest.model_validate(fields_of(**changes))
