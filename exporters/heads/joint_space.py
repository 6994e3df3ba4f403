"""Both modalities as vectors of one space: what heads that add, compare or pool them start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape


class JointSpace(nn.Module):
    """Projects each modality to the hidden width.

    The layer norm learns no scale: no side can outweigh the other by being larger, so a weight that
    is learned on top of it says what it seems to say.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.text_layers = _projection(shape.text_dim, shape)
        self.image_layers = _projection(shape.image_dim, shape)

    def forward(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Takes (batch, text_dim) and (batch, image_dim); returns two of (batch, hidden_dim)."""
        return self.text_layers(text), self.image_layers(image)


def _projection(input_dim: int, shape: HeadShape) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(input_dim, shape.hidden_dim),
        nn.LayerNorm(shape.hidden_dim, elementwise_affine=False),
        nn.GELU(),
        nn.Dropout(shape.dropout),
    )
