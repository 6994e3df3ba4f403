"""A classifier for each modality by itself: what late fusion starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


class SideClassifiers(nn.Module):
    """A two-layer perceptron a modality.

    Each is fitted on its own loss. On rows that lack its modality it sees the null embedding alone,
    and so learns to answer what it can know then: how common each label is.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.text_layers = perceptron(shape.text_dim, shape)
        self.image_layers = perceptron(shape.image_dim, shape)

    def forward(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Takes (batch, text_dim) and (batch, image_dim); returns two of (batch, labels)."""
        return self.text_layers(text), self.image_layers(image)


def perceptron(input_dim: int, shape: HeadShape) -> nn.Sequential:
    """Builds (batch, input_dim) to logits (batch, labels), with one hidden layer."""
    return nn.Sequential(
        nn.Linear(input_dim, shape.hidden_dim),
        nn.LayerNorm(shape.hidden_dim),
        nn.GELU(),
        nn.Dropout(shape.dropout),
        nn.Linear(shape.hidden_dim, shape.labels),
    )
