"""Lets contestants take turns, so that a slow spell of the machine meets all of them alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtest.bench.window import Window, measure_window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadtest.bench.window import Contestant

Round = dict[str, Window]
"""One window of each contestant, by name."""


@dataclass
class RepeatBudget:
    """How many windows may still be measured again."""

    left: int

    def spend(self) -> bool:
        """Takes one, if there is one."""
        self.left -= 1
        return self.left >= 0


@dataclass(frozen=True)
class Turns:
    """How contestants are measured against each other.

    Attributes:
        rounds: how often each has its turn.
        duration_s: how long a turn takes.
    """

    rounds: int
    duration_s: float

    def take(
        self,
        contestants: Sequence[Contestant],
        budget: RepeatBudget,
        on_window: Callable[[int, Window], None],
    ) -> list[Round]:
        """Measures round by round, forwards and backwards by turns.

        Args:
            contestants: who takes part.
            budget: what may be measured again, all contestants and rounds together.
            on_window: told of each window, with the number of its round, from 1.
        """
        rounds = []
        for number in range(1, self.rounds + 1):
            order = contestants if number % 2 else contestants[::-1]
            windows: Round = {}
            for contestant in order:
                window = measure_window(contestant, self.duration_s, budget.spend)
                windows[contestant.name] = window
                on_window(number, window)
            rounds.append(windows)
        return rounds


def throughput_ratios(rounds: Sequence[Mapping[str, Window]], of: str, to: str) -> list[float]:
    """Returns one contestant's throughput over another's, round by round."""
    return [
        each[of].sample.throughput_rps / each[to].sample.throughput_rps
        for each in rounds
        if each[to].sample.throughput_rps > 0
    ]
