"""How long a run measures what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from loadtest.bench.rounds import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Plan:
    """The lengths of a run.

    Attributes:
        turns: by number of clients, ascending.
        calibration_s: a window of the calibration.
        starts: how often the service is started; the first start reads it from disk.
        max_repeats: windows of one number of clients that may be measured again because the
            machine was not calm.
    """

    turns: Mapping[int, Turns]
    calibration_s: float
    starts: int
    max_repeats: int

    @classmethod
    def full(cls, window_s: float) -> Self:
        """About three minutes with windows of 4 seconds."""
        return cls(
            turns={1: Turns(3, window_s), 8: Turns(3, window_s), 16: Turns(5, window_s)},
            calibration_s=window_s / 2,
            starts=2,
            max_repeats=6,
        )

    @classmethod
    def quick(cls) -> Self:
        """As short as it can be with every part of it at work; its figures mean nothing."""
        return cls(
            turns={clients: Turns(1, 0.5) for clients in (1, 8, 16)},
            calibration_s=0.3,
            starts=1,
            max_repeats=0,
        )

    @property
    def window_s(self) -> float:
        """How long a window is."""
        return next(iter(self.turns.values())).duration_s
