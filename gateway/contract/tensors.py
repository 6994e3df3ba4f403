"""Names, dtypes and shapes of the tensors of every published ensemble.

Exporters build ensembles with these signatures; the gateway and any direct Triton client call
them. A variant has one ensemble for each `ModalitySet`; it has the inputs of that set and the
traces of that set, and always `LOGITS`, or `EMBEDDING` where the variant is a dual tower. Shapes
below leave out the batch axis.

| tensor | dtype | shape | content |
|---|---|---|---|
| `IMAGE` | BYTES | [1] | an encoded image file, as it was uploaded |
| `TEXT` | BYTES | [1] | UTF-8 text |
| `LOGITS` | FP32 | [labels] | uncalibrated scores, see below |
| `EMBEDDING` | FP32 | [dim] | of unit length; of an image and a text: the weighted sum of theirs |
| `IMAGE_TRACE` | FP32 | [3] | see `TRACE_FIELDS` |
| `TEXT_TRACE` | FP32 | [3] | see `TRACE_FIELDS` |
| `IMAGE_FEATURES` | FP32 | [image dim] | what the head is given of the image; pooled |
| `TEXT_FEATURES` | FP32 | [text dim] | the same of the text |

Triton gives all outputs to a request that names none. Features are there to be captured and
watched; who needs none names the outputs of `outputs_of`, and they cost nothing.

Probabilities are softmax(logits / temperature); of a variant with tasks, each task's logits by
themselves, and sigmoid where several labels are possible.
"""

from __future__ import annotations

from typing import Final, Protocol

IMAGE: Final = "IMAGE"
TEXT: Final = "TEXT"
LOGITS: Final = "LOGITS"
EMBEDDING: Final = "EMBEDDING"
IMAGE_TRACE: Final = "IMAGE_TRACE"
TEXT_TRACE: Final = "TEXT_TRACE"
IMAGE_FEATURES: Final = "IMAGE_FEATURES"
TEXT_FEATURES: Final = "TEXT_FEATURES"

TRACE_FIELDS: Final = ("preprocess_us", "encode_us", "batch_size")
"""A trace row: time to decode or tokenise this item and time of the encoder's whole batch, both in
microseconds, and how many items that batch held. The last two are 0 where Triton runs the encoder's
graph itself, which tells neither."""


class Modalities(Protocol):
    """What inputs a request has; `manifest.ModalitySet` is one."""

    @property
    def has_image(self) -> bool:
        """Whether there is an image."""

    @property
    def has_text(self) -> bool:
        """Whether there is a text."""


def outputs_of(modalities: Modalities, *, is_dual_tower: bool) -> tuple[str, ...]:
    """The outputs that answer a request: logits or embedding, and the traces."""
    answer = EMBEDDING if is_dual_tower else LOGITS
    image = (IMAGE_TRACE,) if modalities.has_image else ()
    text = (TEXT_TRACE,) if modalities.has_text else ()
    return (answer, *image, *text)


def features_of(modalities: Modalities) -> tuple[str, ...]:
    """The outputs that hold the features of a request's inputs."""
    image = (IMAGE_FEATURES,) if modalities.has_image else ()
    text = (TEXT_FEATURES,) if modalities.has_text else ()
    return (*image, *text)
