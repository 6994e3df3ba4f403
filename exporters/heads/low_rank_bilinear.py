"""Low-rank bilinear fusion: products of text and image features, without the full outer product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.registry import fusion_head

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape

_RANK: Final = 4  # the paper finds no gain above it


@fusion_head("low_rank_bilinear")
class LowRankBilinear(FusionHead):
    """Liu et al. 2018, "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors".

    Each hidden unit is a bilinear form of (text, 1) and (image, 1) of rank 4; the ones, which are
    the layers' biases here, keep each modality's own terms beside the products.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.text_factors = nn.Linear(shape.text_dim, _RANK * shape.hidden_dim)
        self.image_factors = nn.Linear(shape.image_dim, _RANK * shape.hidden_dim)
        self.classifier = nn.Sequential(
            nn.LayerNorm(shape.hidden_dim),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.hidden_dim, shape.labels),
        )
        for factors in (self.text_factors, self.image_factors):
            nn.init.ones_(factors.bias)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        products = self.text_factors(text) * self.image_factors(image)
        by_rank = products.unflatten(-1, (_RANK, -1))  # (batch, rank, hidden_dim)
        logits: Tensor = self.classifier(by_rank.sum(dim=1))
        return logits
