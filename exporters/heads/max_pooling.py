"""Max pooling: each hidden unit listens to the modality that excites it more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.joint_space import JointSpace
from exporters.heads.registry import fusion_head

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("max_pooling")
class MaxPooling(FusionHead):
    """Element-wise maximum of the projected modalities.

    View pooling of Su et al. 2015, "Multi-view Convolutional Neural Networks for 3D Shape
    Recognition", with the two modalities for views.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.space = JointSpace(shape)
        self.classifier = nn.Linear(shape.hidden_dim, shape.labels)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        text_state, image_state = self.space(text, image)  # (batch, hidden_dim) each
        logits: Tensor = self.classifier(torch.maximum(text_state, image_state))
        return logits
