"""Dot-product attention: the two modalities look at each other and at themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.joint_space import JointSpace
from exporters.heads.registry import fusion_head

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("dot_attention")
class DotAttention(FusionHead):
    """Scaled dot-product attention over a sequence of two: the projected text and image.

    Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1, with one head and a residual;
    the mean over the two positions is classified.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.space = JointSpace(shape)
        self.query = nn.Linear(shape.hidden_dim, shape.hidden_dim)
        self.key = nn.Linear(shape.hidden_dim, shape.hidden_dim)
        self.value = nn.Linear(shape.hidden_dim, shape.hidden_dim)
        self.classifier = nn.Linear(shape.hidden_dim, shape.labels)
        self.scale = 1 / math.sqrt(shape.hidden_dim)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        states = torch.stack(self.space(text, image), dim=1)  # (batch, 2, hidden_dim)
        scores = self.query(states) @ self.key(states).transpose(1, 2)  # (batch, 2, 2)
        attended = (self.scale * scores).softmax(dim=-1) @ self.value(states)
        logits: Tensor = self.classifier((states + attended).mean(dim=1))
        return logits
