"""Cross-attention: each token looks at the parts of the image, each part at the tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from exporters.heads.fusion import FusionHead
from exporters.heads.joint_space import JointSpace
from exporters.heads.registry import fusion_head
from exporters.heads.sequences import attention_bias, is_position, masked_mean

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape

_LOOKS = 4
"""Attention heads, where the hidden width can be divided by so many."""


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
        self.text_look = Look(shape.hidden_dim)
        self.image_look = Look(shape.hidden_dim)
        self.classifier = nn.Sequential(
            nn.LayerNorm(2 * shape.hidden_dim),
            nn.Dropout(shape.dropout),
            nn.Linear(2 * shape.hidden_dim, shape.labels),
        )

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        of_text, of_image = is_position(text), is_position(image)  # once: they are read in full
        tokens, parts = self.space(text, image)  # (batch, length, hidden_dim) each
        seen_by_text = tokens + self.text_look(tokens, parts, attention_bias(of_image))
        seen_by_image = parts + self.image_look(parts, tokens, attention_bias(of_text))
        sides = [masked_mean(seen_by_text, of_text), masked_mean(seen_by_image, of_image)]
        logits: Tensor = self.classifier(torch.cat(sides, dim=-1))
        return logits


class Look(nn.Module):
    """Multi-head attention from one sequence to another."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.looks = math.gcd(_LOOKS, width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, states: Tensor, others: Tensor, bias: Tensor) -> Tensor:
        """Takes (batch, length, width), (batch, others, width) and (batch, 1, 1, others)."""
        query, key, value = (
            layer(x).unflatten(-1, (self.looks, -1)).transpose(1, 2)  # (batch, looks, length, ...)
            for layer, x in ((self.query, states), (self.key, others), (self.value, others))
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        seen: Tensor = self.out(attended.transpose(1, 2).flatten(-2))  # (batch, length, width)
        return seen
