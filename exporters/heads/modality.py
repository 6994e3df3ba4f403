"""A head seen through the modalities a request has: one small module, and so one graph, for each.

What is absent is no input: the learned stand-in becomes a constant of the graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.heads.fusion import FusionHead


class BothHead(nn.Module):
    """Logits from text and image features."""

    def __init__(self, head: FusionHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """Takes (batch, text_dim) and (batch, image_dim); returns logits (batch, labels)."""
        logits: Tensor = self.head(text, image)
        return logits


class TextHead(nn.Module):
    """Logits from text features alone."""

    def __init__(self, head: FusionHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, text: Tensor) -> Tensor:
        """Takes (batch, text_dim); returns logits (batch, labels)."""
        standardised = self.head.standardise_text(text)
        return self.head.fuse(standardised, self.head.absent_image(text.shape[0]))


class ImageHead(nn.Module):
    """Logits from image features alone."""

    def __init__(self, head: FusionHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """Takes (batch, image_dim); returns logits (batch, labels)."""
        standardised = self.head.standardise_image(image)
        return self.head.fuse(self.head.absent_text(image.shape[0]), standardised)


def head_for(head: FusionHead, modalities: ModalitySet) -> BothHead | TextHead | ImageHead:
    """Returns the view of `head` that takes just the features of `modalities`, text first."""
    match modalities:
        case ModalitySet.BOTH:
            return BothHead(head)
        case ModalitySet.TEXT:
            return TextHead(head)
        case ModalitySet.IMAGE:
            return ImageHead(head)
