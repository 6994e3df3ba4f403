"""Gated fusion: the head decides, example by example, how much to believe each modality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.registry import fusion_head

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


@fusion_head("gated")
class Gated(FusionHead):
    """Gated multimodal unit: Arevalo et al. 2017, "Gated Multimodal Units for Information Fusion".

    `hidden = gate * tanh(text) + (1 - gate) * tanh(image)`, with a gate for each hidden unit.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.text_layer = nn.Linear(shape.text_dim, shape.hidden_dim)
        self.image_layer = nn.Linear(shape.image_dim, shape.hidden_dim)
        self.gate_layer = nn.Linear(shape.text_dim + shape.image_dim, shape.hidden_dim)
        self.dropout = nn.Dropout(shape.dropout)
        self.classifier = nn.Linear(shape.hidden_dim, shape.labels)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        text_state = torch.tanh(self.text_layer(text))  # (batch, hidden_dim)
        image_state = torch.tanh(self.image_layer(image))  # (batch, hidden_dim)
        gate = torch.sigmoid(self.gate_layer(torch.cat([text, image], dim=-1)))
        hidden = gate * text_state + (1 - gate) * image_state
        logits: Tensor = self.classifier(self.dropout(hidden))
        return logits
