"""Tokens and grid cells of some examples, read a batch at a time from wherever they are.

A thousand images are 49,000 cells, so they stay in a file (`sequence_files`) until a batch of them
is read; what a tuned encoder has just made is in memory, with its gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

import torch
from torch.nn import functional

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Stored = NDArray[np.float16]


class SideSequences(Protocol):
    """Sequences of some examples by one encoder."""

    def __len__(self) -> int:
        """How many examples."""

    @property
    def row_shape(self) -> tuple[int, int]:
        """The longest sequence that there can be, and the width of a position."""

    def take(self, positions: Tensor) -> Self:
        """Returns those at `positions` among these, shape (selected,), int64; reads nothing."""

    def read(self) -> Tensor:
        """Reads them, float32 (examples, length, dim); what is shorter ends in zeros."""


@dataclass(frozen=True)
class StoredSequences:
    """Sequences in an array that is mapped into memory.

    Attributes:
        stored: of all examples of a table, float16 (examples, longest, dim).
        positions: which of them, in their order, int64 (selected,).
        is_ragged: whether lengths differ, as those of texts do: then what is read is cut to the
            longest of it.
    """

    stored: Stored
    positions: Tensor
    is_ragged: bool

    @classmethod
    def whole(cls, stored: Stored, *, is_ragged: bool) -> Self:
        """All sequences of an array."""
        return cls(stored, torch.arange(len(stored)), is_ragged)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def row_shape(self) -> tuple[int, int]:
        """See `SideSequences.row_shape`."""
        _, longest, dim = self.stored.shape
        return longest, dim

    def take(self, positions: Tensor) -> Self:
        """See `SideSequences.take`."""
        return replace(self, positions=self.positions[positions])

    def read(self) -> Tensor:
        """See `SideSequences.read`."""
        halves = torch.from_numpy(self.stored[self.positions.numpy()])  # (selected, longest, dim)
        if self.is_ragged:
            lengths = (halves != 0).any(dim=-1).sum(dim=1)  # (selected,)
            halves = halves[:, : int(lengths.max()) if len(lengths) else 0]
        return halves.float()


@dataclass(frozen=True)
class HeldSequences:
    """Sequences in memory, as a tuned encoder gave them: with gradients.

    Attributes:
        states: float32 (examples, length, dim).
    """

    states: Tensor

    def __len__(self) -> int:
        return len(self.states)

    @property
    def row_shape(self) -> tuple[int, int]:
        """See `SideSequences.row_shape`."""
        return self.states.shape[1], self.states.shape[2]

    def take(self, positions: Tensor) -> Self:
        """See `SideSequences.take`."""
        return replace(self, states=self.states[positions])

    def read(self) -> Tensor:
        """See `SideSequences.read`."""
        return self.states


@dataclass(frozen=True)
class JoinedSequences:
    """Sequences of two tables, one behind the other; neither is copied.

    Attributes:
        first, second: those of each table.
        positions: which of both, in their order, int64 (selected,); the second's count on from the
            first's.
    """

    first: SideSequences
    second: SideSequences
    positions: Tensor

    @classmethod
    def of(cls, first: SideSequences, second: SideSequences) -> Self:
        """All sequences of both."""
        return cls(first, second, torch.arange(len(first) + len(second)))

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def row_shape(self) -> tuple[int, int]:
        """See `SideSequences.row_shape`."""
        (one, dim), (other, _) = self.first.row_shape, self.second.row_shape
        return max(one, other), dim

    def take(self, positions: Tensor) -> Self:
        """See `SideSequences.take`."""
        return replace(self, positions=self.positions[positions])

    def read(self) -> Tensor:
        """See `SideSequences.read`."""
        is_first = self.positions < len(self.first)
        parts = (
            (is_first, self.first.take(self.positions[is_first])),
            (~is_first, self.second.take(self.positions[~is_first] - len(self.first))),
        )
        read = [(rows, part.read()) for rows, part in parts if len(part)]
        longest = max((states.shape[1] for _, states in read), default=0)
        joined = torch.zeros(len(self.positions), longest, self.row_shape[1])
        for rows, states in read:
            joined[rows] = functional.pad(states, (0, 0, 0, longest - states.shape[1]))
        return joined


@dataclass(frozen=True)
class Sequences:
    """Sequences of the same examples by both encoders.

    Attributes:
        text: tokens.
        image: patches or grid cells.
    """

    text: SideSequences
    image: SideSequences

    def take(self, positions: Tensor) -> Sequences:
        """Returns those at `positions` among these, shape (selected,), int64; reads nothing."""
        return Sequences(self.text.take(positions), self.image.take(positions))

    def read(self) -> tuple[Tensor, Tensor]:
        """Reads tokens (examples, tokens, token_dim) and cells (examples, cells, cell_dim)."""
        return self.text.read(), self.image.read()
