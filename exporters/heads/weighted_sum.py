"""Weighted sum: one number, learned and reported, says how much each modality counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.joint_space import JointSpace
from exporters.heads.registry import fusion_head

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape

# AdamW moves every parameter by about the learning rate a step, which is a crawl for a number that
# may have to go from 0 to 2: this many times faster, it gets where it wants within a fit.
_SPEED: Final = 10.0


@fusion_head("weighted_sum")
class WeightedSum(FusionHead):
    """One weight for each modality, the same for all examples.

    `hidden = lambda * text + (1 - lambda) * image`, as in the linearly weighted fusion of Atrey et
    al. 2010, "Multimodal fusion for multimedia analysis: a survey", with the weight learned. It
    starts at one half.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.space = JointSpace(shape)
        self.balance = nn.Parameter(torch.zeros(()))
        self.classifier = nn.Linear(shape.hidden_dim, shape.labels)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        text_state, image_state = self.space(text, image)  # (batch, hidden_dim) each
        text_weight = self._text_weight()
        logits: Tensor = self.classifier(text_weight * text_state + (1 - text_weight) * image_state)
        return logits

    def learned_weights(self) -> dict[str, float]:
        """See `FusionHead.learned_weights`: `text` is the lambda above."""
        text_weight = self._text_weight().item()
        return {"text": text_weight, "image": 1 - text_weight}

    def _text_weight(self) -> Tensor:
        return torch.sigmoid(_SPEED * self.balance)
