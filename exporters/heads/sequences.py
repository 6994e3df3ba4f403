"""Sequences of different lengths in one tensor: tokens of texts, patches or grid cells of images.

A position that is zero all along is padding. So the tensor carries its own mask: through a file, a
Triton step and a graph, with no second tensor that could come apart from it, and a row may be
padded to any length without changing what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

_HIDDEN = -1e9  # finite: a row without any position gives zeros in the end, and no NaN


def is_position(sequence: Tensor) -> Tensor:
    """Returns which positions are no padding: (batch, length, dim) to bool (batch, length)."""
    # Not abs().amax(): that would write a tensor as large as the sequence.
    return (sequence.amax(dim=-1) > 0) | (sequence.amin(dim=-1) < 0)


def attention_bias(positions: Tensor) -> Tensor:
    """Returns what hides padding from attention, added to scores, (batch, 1, 1, length).

    Args:
        positions: of `is_position`, bool (batch, length).
    """
    return (~positions * _HIDDEN)[:, None, None, :]


def mean_weights(positions: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns what each position has in the mean over all, (batch, 1, length), for `bmm`.

    They sum to one; of a row without any position, to zero.

    Args:
        positions: of `is_position`, bool (batch, length).
        dtype: of the states that are averaged.
    """
    weights = positions.unsqueeze(1).to(dtype)  # (batch, 1, length)
    return weights / weights.sum(dim=-1, keepdim=True).clamp_min(1.0)


def standardise(features: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Centres and scales features (batch, dim), or sequences, whose padding stays zero."""
    if features.dim() == 2:
        return (features - mean) / deviation
    # One tensor of this size instead of three: writing them is most of what it costs.
    standardised = torch.addcmul(-mean / deviation, features, 1 / deviation)
    return standardised.mul_(is_position(features).unsqueeze(-1))


def rows_like(mask: Tensor, features: Tensor) -> Tensor:
    """Returns a mask of rows, (batch,), with as many axes as `features`."""
    return mask.view(-1, *[1] * (features.dim() - 1))


def first_of_sequence(stand_in: Tensor, features: Tensor) -> Tensor:
    """Pads a stand-in to the length of `features`, which are (batch, dim) or (batch, length, dim).

    Args:
        stand_in: (1, dim) or (1, 1, dim).
        features: what it stands beside.
    """
    if features.dim() == 2:
        return stand_in
    return functional.pad(stand_in, (0, 0, 0, features.shape[1] - 1))
