"""Mean pooling: the two modalities in one space, averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.joint_space import JointSpace
from exporters.heads.registry import fusion_head

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("mean_pooling")
class MeanPooling(FusionHead):
    """Element-wise mean of the projected modalities; both always count alike.

    The additive joint representation of Baltrusaitis et al. 2019, "Multimodal Machine Learning: A
    Survey and Taxonomy".
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.space = JointSpace(shape)
        self.classifier = nn.Linear(shape.hidden_dim, shape.labels)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        text_state, image_state = self.space(text, image)  # (batch, hidden_dim) each
        logits: Tensor = self.classifier((text_state + image_state) / 2)
        return logits
