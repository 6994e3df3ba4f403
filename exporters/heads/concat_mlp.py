"""Early fusion: both features side by side into one hidden layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.registry import fusion_head

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("concat_mlp")
class ConcatMlp(FusionHead):
    """Concatenation and a two-layer perceptron.

    The joint layer of Ngiam et al. 2011, "Multimodal Deep Learning", fitted on frozen encoders;
    the baseline that later fusions are measured against. The sides are scaled to the same total
    variance: otherwise 1280 image features outvote 384 text features before anything is learned
    (measured on both demos: 2.5 points of accuracy).
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        mean_dim = (shape.text_dim + shape.image_dim) / 2
        self.text_scale = math.sqrt(mean_dim / shape.text_dim)
        self.image_scale = math.sqrt(mean_dim / shape.image_dim)
        self.layers = nn.Sequential(
            nn.Linear(shape.text_dim + shape.image_dim, shape.hidden_dim),
            nn.LayerNorm(shape.hidden_dim),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.hidden_dim, shape.labels),
        )

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        sides = [text * self.text_scale, image * self.image_scale]
        joint = torch.cat(sides, dim=-1)  # (batch, text_dim + image_dim)
        logits: Tensor = self.layers(joint)
        return logits
