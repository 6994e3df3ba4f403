"""Cross-attention: each token looks at the parts of the image, each part at the tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.joint_space import JointSpace
from exporters.heads.mean_attention import MeanAttention
from exporters.heads.registry import fusion_head
from exporters.heads.sequences import attention_bias, is_position, mean_weights

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("cross_attention")
class CrossAttention(FusionHead):
    """Multi-head cross-attention over tokens and patches, in both directions, with residuals.

    The co-attention of Lu et al. 2019, "ViLBERT", in one layer: queries of one modality, keys and
    values of the other (Vaswani et al. 2017, "Attention Is All You Need"). The means over the
    positions of each side are classified together.
    """

    is_over_sequences = True

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.space = JointSpace(shape)
        self.text_look = MeanAttention(shape.hidden_dim)
        self.image_look = MeanAttention(shape.hidden_dim)
        self.classifier = nn.Sequential(
            nn.LayerNorm(2 * shape.hidden_dim),
            nn.Dropout(shape.dropout),
            nn.Linear(2 * shape.hidden_dim, shape.labels),
        )

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        of_text, of_image = is_position(text), is_position(image)
        tokens, parts = self.space(text, image)  # (batch, length, hidden_dim) each
        text_mean = mean_weights(of_text, tokens.dtype)  # (batch, 1, tokens)
        image_mean = mean_weights(of_image, parts.dtype)  # (batch, 1, parts)
        by_text = self.text_look(tokens, text_mean, parts, attention_bias(of_image))
        by_image = self.image_look(parts, image_mean, tokens, attention_bias(of_text))
        sides = torch.cat([text_mean @ tokens + by_text, image_mean @ parts + by_image], dim=-1)
        logits: Tensor = self.classifier(sides.squeeze(1))  # of (batch, 1, 2 * hidden_dim)
        return logits
