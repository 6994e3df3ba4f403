"""An answer that was drawn, and what windows and capture take of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.classification.outputs import probabilities
from gateway.contract.capture import CapturedRow, CapturedTask
from gateway.contract.drift.properties import image_properties, text_properties
from gateway.contract.drift.reference import ONLY_TASK
from gateway.contract.tensors import IMAGE_FEATURES, TEXT_FEATURES
from gateway.value import value
from gateway.watching.drift_watch import Stream

if TYPE_CHECKING:
    from gateway.capture.draws import Inclusion
    from gateway.classification.sampling import DrawnFeatures
    from gateway.classification.values import Classification, ClassifyRequest
    from gateway.contract.drift.window import DriftTests, WatchedItem
    from gateway.receipts.receipt import SignedReceipt


@value
class Drawn:
    """An answer on its way to the thread that looks at it.

    Attributes:
        request: as it was answered.
        answer: to it.
        features: of its inputs.
        receipt: of the answer.
        has_agreed: what its shadows said; None: nothing was compared.
        inclusion: in the capture; None: it is not captured.
    """

    request: ClassifyRequest
    answer: Classification
    features: DrawnFeatures
    receipt: SignedReceipt
    has_agreed: bool | None
    inclusion: Inclusion | None

    @property
    def size_bytes(self) -> int:
        """Size of what of it may be large."""
        return len(self.request.image or b"") + len(self.request.text or "")

    @property
    def stream(self) -> Stream:
        """The windows that it belongs to."""
        return Stream(self.answer.variant, self.answer.digest, self.answer.modalities)


def watched_item(drawn: Drawn, tests: DriftTests) -> WatchedItem:
    """What a window of drift takes of an answer."""
    rows, request = drawn.features.rows, drawn.request
    return tests.watch(
        (rows.get(IMAGE_FEATURES), rows.get(TEXT_FEATURES)),
        (request.image, request.text),
        _best_of_tasks(drawn.answer) if request.labels is None else {},
    )


def _best_of_tasks(answer: Classification) -> dict[str, tuple[str, float]]:
    """The best label of each task and its probability; one without a name where there are none."""
    if not answer.tasks:
        return {ONLY_TASK: (answer.ranking[0].label, answer.ranking[0].score)}
    return {each.name: (each.ranking[0].label, each.ranking[0].score) for each in answer.tasks}


def captured_row(
    drawn: Drawn, inclusion: Inclusion, tests: DriftTests | None, *, has_inputs: bool
) -> CapturedRow:
    """What the capture takes of an answer.

    Args:
        drawn: the answer.
        inclusion: why it is captured.
        tests: of the variant; None where it has no reference.
        has_inputs: whether image and text themselves are kept.
    """
    request, answer, receipt = drawn.request, drawn.answer, drawn.receipt
    image = None if request.image is None else image_properties(request.image)
    text = None if request.text is None else text_properties(request.text)
    familiarity = None
    if tests is not None and request.text is not None:
        familiarity = tests.familiarity(request.text)
    scores = probabilities(answer.scores) if request.labels is None else []
    return CapturedRow(
        prediction_id=receipt.text,
        prediction_key=receipt.key,
        predicted_at=receipt.receipt.issued_at,
        variant=answer.variant,
        digest=answer.digest,
        modalities=answer.modalities.value,
        unit=receipt.receipt.unit,
        reasons=inclusion.reasons,
        sampling_weight=inclusion.weight,
        label=answer.ranking[0].label,
        confidence=answer.ranking[0].score,
        scores=tuple(scores),
        shadow_agreed=drawn.has_agreed,
        image_features=drawn.features.rows.get(IMAGE_FEATURES),
        text_features=drawn.features.rows.get(TEXT_FEATURES),
        image_bytes=image.file_bytes if image else None,
        image_width_px=image.width_px if image else None,
        image_height_px=image.height_px if image else None,
        image_format=image.format if image else None,
        text_chars=text.characters if text else None,
        text_script=text.script if text else None,
        text_familiarity=familiarity,
        image=request.image if has_inputs else None,
        text=request.text if has_inputs else None,
        other_tasks=tuple(
            CapturedTask(each.name, each.ranking[0].label, each.ranking[0].score)
            for each in answer.tasks[1:]
        ),
    )
