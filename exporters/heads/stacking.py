"""Late fusion by stacking: a small classifier learns from what the two classifiers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.label_sets import evidence
from exporters.heads.registry import fusion_head
from exporters.heads.side_classifiers import SideClassifiers

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("stacking")
class Stacking(FusionHead):
    """Stacked generalisation: Wolpert 1992, with a linear upper level on log-probabilities.

    Wolpert fits the upper level on out-of-fold answers. Here both levels are fitted in one pass:
    the upper one on answers under dropout, and nothing of its loss reaches the lower one. It starts
    as the product of the two sides' probabilities (Hinton 2002, "Training Products of Experts").
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.tasks = shape.tasks
        self.sides = SideClassifiers(shape)
        self.upper = nn.Linear(2 * shape.labels, shape.labels)
        with torch.no_grad():
            self.upper.weight.copy_(torch.eye(shape.labels).repeat(1, 2))
            self.upper.bias.zero_()

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        return self._stack(*self.sides(text, image))

    def fitted_logits(self, text: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        """See `FusionHead.fitted_logits`: each side by itself, and the upper level."""
        text_logits, image_logits = self.sides(text, image)
        stacked = self._stack(text_logits.detach(), image_logits.detach())
        return text_logits, image_logits, stacked

    def _stack(self, text_logits: Tensor, image_logits: Tensor) -> Tensor:
        sides = [evidence(text_logits, self.tasks), evidence(image_logits, self.tasks)]
        logits: Tensor = self.upper(torch.cat(sides, dim=-1))  # (batch, labels)
        return logits
