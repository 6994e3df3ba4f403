"""What goes into a classification and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.contract.manifest import ModalitySet
from gateway.value import value

if TYPE_CHECKING:
    from gateway.admission.deadline import Deadline
    from gateway.classification.sampling import DrawnFeatures
    from gateway.placement import Placement
    from gateway.reuse.source import Source
    from gateway.routing.subject import Subject
    from gateway.triton.backend import Row
    from gateway.zero_shot.query import LabelQuery


@value
class ClassifyRequest:
    """One item, its envelope already checked: at least one of `image` and `text` is there.

    Attributes:
        image: an encoded image file, or None.
        text: text with at least one character that is not white space, or None.
        top_k: how many of the best labels to return; at least 1.
        variant: name of the variant that is to answer, or None.
        request_id: for logs, here and in Triton.
        deadline: when it must be answered.
        caller: who asks; answers are not reused across callers, unless that is allowed.
        subject: whom it is for, by which experiments choose.
        placement: where admission found room for it, or None.
        labels: what it is to be classified into, where the request says so.
        label_set: name of a registered set of labels in their place, or None.
        templates: prompts in place of the set's own; empty: none.
    """

    image: bytes | None
    text: str | None
    top_k: int
    variant: str | None
    request_id: str
    deadline: Deadline
    caller: str
    subject: Subject
    placement: Placement | None = None
    labels: LabelQuery | None = None
    label_set: str | None = None
    templates: tuple[str, ...] = ()

    @property
    def modalities(self) -> ModalitySet:
        """Which inputs are there."""
        if self.image is None:
            return ModalitySet.TEXT
        return ModalitySet.IMAGE if self.text is None else ModalitySet.BOTH


class RankedLabel(NamedTuple):
    """A label with its calibrated probability."""

    label: str
    score: float


@value
class Scores:
    """What a variant says of each of its labels.

    Attributes:
        logits: uncalibrated, of shape (labels,).
        labels: in the order of the logits.
        temperature: calibrates them; above 0, and 1 leaves the softmax as it is.
        activation: `softmax`: the labels share one probability; `sigmoid`: each has its own.
    """

    logits: Row
    labels: tuple[str, ...]
    temperature: float
    activation: Literal["softmax", "sigmoid"] = "softmax"


@value
class TaskAnswer:
    """What one of several tasks answers.

    Attributes:
        name: of the task.
        ranking: the best labels, best first; never empty.
        applying: where several labels are possible, all above their thresholds, best first; may be
            empty. None where the answer is the best label.
    """

    name: str
    ranking: tuple[RankedLabel, ...]
    applying: tuple[RankedLabel, ...] | None = None


@value
class StageTimings:
    """Where the time went, in milliseconds. The stages of an absent modality are None.

    `receive_ms`, `labels_ms`, `triton_ms` and `respond_ms` add up to `total_ms`; `labels_ms`, the
    time to embed the labels of the request, is None where a variant has its own. The other four lie
    within `triton_ms`, image and text side by side; an encoder's is that of its whole batch. In an
    answer that was reused they are None, as they are another request's, whose end `triton_ms`
    waited for.
    """

    receive_ms: float
    triton_ms: float
    decode_ms: float | None
    image_encoder_ms: float | None
    tokenise_ms: float | None
    text_encoder_ms: float | None
    respond_ms: float
    total_ms: float
    labels_ms: float | None = None


@value
class Classification:
    """The answer to one `ClassifyRequest`.

    Attributes:
        variant: name of the variant that answered.
        digest: digest of that variant.
        modalities: the inputs that were used.
        ranking: the best labels of the first task, best first; never empty.
        scores: of all labels of the first task.
        timings: where the time went.
        image_batch_size: items in the image encoder's batch, or None without one of its own.
        text_batch_size: items in the text encoder's batch, or None without one of its own.
        source: whether the numbers were computed for this request.
        placement: the pool that answered, and what was not as usual.
        tasks: the answer of each task, for a variant that names its tasks.
        features: of the inputs, where they were drawn.
    """

    variant: str
    digest: str
    modalities: ModalitySet
    ranking: tuple[RankedLabel, ...]
    scores: Scores
    timings: StageTimings
    image_batch_size: int | None
    text_batch_size: int | None
    source: Source
    placement: Placement
    tasks: tuple[TaskAnswer, ...] = ()
    features: DrawnFeatures | None = None

    @property
    def service_ms(self) -> float:
        """What the model steps took for this item alone, without the waiting, in milliseconds.

        An encoder's time is shared by its batch. Where no step reports its time, it is Triton's.
        """
        timings = self.timings
        image_ms = (timings.image_encoder_ms or 0.0) / (self.image_batch_size or 1)
        text_ms = (timings.text_encoder_ms or 0.0) / (self.text_batch_size or 1)
        preprocess_ms = (timings.decode_ms or 0.0) + (timings.tokenise_ms or 0.0)
        return image_ms + text_ms + preprocess_ms or timings.triton_ms

    @property
    def slower_batch(self) -> tuple[float, int] | None:
        """Milliseconds and size of the slower encoder's batch; None where no encoder reports it."""
        timings = self.timings
        image = timings.image_encoder_ms or 0.0, self.image_batch_size or 1
        text = timings.text_encoder_ms or 0.0, self.text_batch_size or 1
        return max(image, text) if image[0] or text[0] else None
