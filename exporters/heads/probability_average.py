"""Late fusion by averaging: each modality is classified by itself, probabilities are averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from exporters.heads.fusion import FusionHead
from exporters.heads.label_sets import average_answers
from exporters.heads.registry import fusion_head
from exporters.heads.side_classifiers import SideClassifiers

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("probability_average")
class ProbabilityAverage(FusionHead):
    """The sum rule of Kittler et al. 1998, "On Combining Classifiers".

    Nothing is learned about the fusion; the classifiers never see each other.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.tasks = shape.tasks
        self.sides = SideClassifiers(shape)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`: the logits of the mean probability."""
        sides = torch.stack(self.sides(text, image))  # (2, batch, labels)
        return average_answers(sides, self.tasks)

    def fitted_logits(self, text: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        """See `FusionHead.fitted_logits`: each side by itself."""
        text_logits, image_logits = self.sides(text, image)
        return text_logits, image_logits
