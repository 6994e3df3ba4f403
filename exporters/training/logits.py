"""A head's answers on cached features, with the modalities of one `ModalitySet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from exporters.heads import head_for

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.training.features import Features
    from gateway.contract.manifest import ModalitySet


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
    inputs = []
    if modalities.has_text:
        inputs.append(features.text)
    if modalities.has_image:
        inputs.append(features.image)
    with torch.inference_mode():
        logits: Tensor = view(*inputs)
    return logits
