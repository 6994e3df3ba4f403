"""Sequences of different lengths in one tensor: tokens of texts, patches or grid cells of images.

A position that is zero all along is padding. So the tensor carries its own mask: through a file, a
Triton step and a graph, with no second tensor that could come apart from it, and a row may be
padded to any length without changing what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

_HIDDEN = -1e9  # finite: a row without any position gives zeros in the end, and no NaN


def is_position(sequence: Tensor) -> Tensor:
    """Returns which positions are no padding: (batch, length, dim) to bool (batch, length)."""
    return sequence.abs().amax(dim=-1) > 0


def attention_bias(positions: Tensor) -> Tensor:
    """Returns what hides padding from attention, added to scores, (batch, 1, 1, length).

    Args:
        positions: of `is_position`, bool (batch, length).
    """
    return (~positions * _HIDDEN)[:, None, None, :]


def masked_mean(states: Tensor, positions: Tensor) -> Tensor:
    """Averages the states (batch, length, width) of some positions, bool (batch, length)."""
    weights = positions.unsqueeze(-1).to(states.dtype)  # (batch, length, 1)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(1.0)


def standardise(features: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Centres and scales features (batch, dim), or sequences, whose padding stays zero."""
    standardised = (features - mean) / deviation
    if features.dim() == 2:
        return standardised
    return standardised * is_position(features).unsqueeze(-1)


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
