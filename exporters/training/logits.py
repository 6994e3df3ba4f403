"""A head's answers on cached features, with the modalities of one `ModalitySet`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from exporters.heads import head_for

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.training.features import Features
    from gateway.contract.manifest import ModalitySet

_ROWS_OF_SEQUENCES: Final = 128
"""Examples whose sequences are held in memory at a time."""


def logits_of(head: FusionHead, features: Features, modalities: ModalitySet) -> Tensor:
    """Classifies examples through the same view of the head that is exported.

    Args:
        head: the fusion head; it is left in evaluation mode.
        features: features of the examples.
        modalities: which of them the head may see.

    Returns:
        Uncalibrated logits, shape (examples, labels), float32.
    """
    view = head_for(head, modalities).eval()
    rows = _ROWS_OF_SEQUENCES if head.is_over_sequences else max(1, len(features))
    with torch.inference_mode():
        return torch.cat(
            [
                view(*_inputs(head, features.take(part), modalities))
                for part in torch.split(torch.arange(len(features)), rows)
            ]
        )


def _inputs(head: FusionHead, features: Features, modalities: ModalitySet) -> tuple[Tensor, ...]:
    """What the view of the head takes, text first."""
    text, image = features.seen_by(head)
    present = ((text, modalities.has_text), (image, modalities.has_image))
    return tuple(each for each, is_present in present if is_present)
