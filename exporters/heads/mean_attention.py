"""Multi-head attention of which the mean over the positions that look is wanted, and no more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

_LOOKS = 4
"""Attention heads, where the hidden width can be divided by so many."""


class MeanAttention(nn.Module):
    """Multi-head attention from one sequence to another, averaged over the positions that look.

    Values and outputs are linear in what was attended, so the mean of a hundred positions' outputs
    is the output of one mean: they are computed once instead of a hundred times.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.looks = math.gcd(_LOOKS, width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, states: Tensor, mean: Tensor, others: Tensor, bias: Tensor) -> Tensor:
        """Returns what the positions of `states` see in `others` on average, (batch, 1, width).

        Args:
            states: (batch, length, width).
            mean: of `mean_weights`, (batch, 1, length).
            others: (batch, others, width).
            bias: of `attention_bias`, (batch, 1, 1, others).
        """
        query, key = (
            layer(x).unflatten(-1, (self.looks, -1)).transpose(1, 2)  # (batch, looks, length, ...)
            for layer, x in ((self.query, states), (self.key, others))
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        attention = mean.unsqueeze(1) @ scores.softmax(dim=-1)  # (batch, looks, 1, others)
        seen = attention.squeeze(2) @ others  # (batch, looks, width)
        by_look = self.value.weight.view(self.looks, -1, others.shape[-1])  # (looks, ..., width)
        values = (seen.transpose(0, 1) @ by_look.transpose(1, 2)).transpose(0, 1)
        weight = mean.sum(dim=-1, keepdim=True)  # 1; of a row that has no position 0
        attended = values.flatten(1).unsqueeze(1) + weight * self.value.bias  # (batch, 1, width)
        output: Tensor = attended @ self.out.weight.T + weight * self.out.bias
        return output
