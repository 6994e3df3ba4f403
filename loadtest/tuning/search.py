"""The search: cyclic coordinate search with repeated duels (Wright 2015, "Coordinate descent").

One axis after the other: the incumbent is measured, then every other value of the axis. The best of
them and the incumbent are then measured once more, and the worse of its two figures must be above
the better of the incumbent's by the margin before it takes its place: else the luckiest of several
would win, or a bad spell of the machine lose. Passes go on until one changes nothing. The current
setting is measured at the begin and, beside the best, at the end: what it differs by from itself is
what the machine drifted by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Final

from loadtest.tuning.errors import NeverKeptError
from loadtest.tuning.settings import changes, count_candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporters.recipe_sections import TargetRecipe
    from loadtest.tuning.measuring import Measure, Measurement
from loadtest.tuning.settings import Axis

METHOD: Final = "cyclic coordinate search with duels"
MARGIN_RATIO: Final = 0.05
_PASSES: Final = 2

FIRST: Final = "at first"
LAST: Final = "at the end"


@dataclass
class Tuning:
    """What is known so far; whole at any time, so that an interruption loses nothing.

    Attributes:
        current: the setting as it is now.
        axes: what is tried.
        limit_ms: of P99.
        best: the incumbent.
        measurements: all, in their order.
        is_complete: whether the search came to its end.
        gain_ratio: of the best over the current setting in the last comparison; 1 when both are the
            same, None before it was made.
    """

    current: TargetRecipe
    axes: tuple[Axis, ...]
    limit_ms: float
    best: TargetRecipe
    measurements: list[Measurement] = field(default_factory=list)
    is_complete: bool = False
    gain_ratio: float | None = None

    @classmethod
    def of(cls, current: TargetRecipe, axes: Sequence[Axis], limit_ms: float) -> Tuning:
        """Nothing is known yet."""
        return cls(current, tuple(axes), limit_ms, current)

    @property
    def tried(self) -> int:
        """How many different settings were measured."""
        return len({each.candidate for each in self.measurements})

    @property
    def possible(self) -> int:
        """How many there are."""
        return count_candidates(self.axes, self.current)

    @property
    def drift_ratio(self) -> float | None:
        """The current setting at the end over itself at first; None before the end."""
        first = self._rates(FIRST)
        last = self._rates(LAST)
        return fmean(last) / fmean(first) if first and last and fmean(first) else None

    def _rates(self, when: str) -> list[float]:
        return [
            each.rate_rps
            for each in self.measurements
            if each.candidate == self.current and each.why.endswith(when)
        ]


def search(
    tuning: Tuning,
    measure: Measure,
    tell: Callable[[str], None] = lambda _: None,
    is_over: Callable[[], bool] = lambda: False,
    margin_ratio: float = MARGIN_RATIO,
) -> None:
    """Fills in a tuning.

    Args:
        tuning: what is known; it is right at any time.
        measure: measures a candidate.
        tell: is told what is decided.
        is_over: whether the time is over; asked before each axis.
        margin_ratio: how much better a value has to be.

    Raises:
        NeverKeptError: the current setting keeps the limit at no rate that was tried.
    """
    _Search(tuning, measure, tell, is_over, margin_ratio).run()


class _Search:
    def __init__(
        self,
        tuning: Tuning,
        measure: Measure,
        tell: Callable[[str], None],
        is_over: Callable[[], bool],
        margin_ratio: float,
    ) -> None:
        self._tuning = tuning
        self._measure_once = measure
        self._tell = tell
        self._is_over = is_over
        self._needed = 1 + margin_ratio
        self._beaten: set[TargetRecipe] = set()

    def run(self) -> None:
        first = self._measure(self._tuning.current, f"as it is, {FIRST}")
        if first.best is None:
            lowest_rps = min(each.rate_rps for each in first.attempts)
            raise NeverKeptError(self._tuning.limit_ms, lowest_rps)
        for _ in range(_PASSES):
            before = self._tuning.best
            for axis in self._tuning.axes:
                if self._is_over():
                    self._tell("The time is over: the best so far counts")
                    break
                self._improve(axis)
            if self._tuning.best == before or self._is_over():
                break
        self._compare()
        self._tuning.is_complete = True

    def _improve(self, axis: Axis) -> None:
        incumbent = self._tuning.best
        others = [
            each
            for each in axis.candidates(incumbent)
            if each != incumbent and each not in self._beaten
        ]
        if not others:
            return
        own = self._measure(incumbent, "the best so far").rate_rps
        seen = [self._measure(each, self._changes(each)) for each in others]
        challenger = max(seen, key=lambda each: each.rate_rps)
        self._beaten.update(others)
        if challenger.rate_rps < self._needed * own:
            return
        again = self._measure(challenger.candidate, f"again {self._changes(challenger.candidate)}")
        own_again = self._measure(incumbent, "again the best so far").rate_rps
        rates = (challenger.rate_rps, again.rate_rps)
        if min(rates) >= self._needed * max(own, own_again):
            self._tuning.best = challenger.candidate
            self._beaten.add(incumbent)
            self._tell(f"Taken: {self._changes(challenger.candidate)}")

    def _compare(self) -> None:
        """The current setting and the best by turns: current, best, best, current."""
        current, best = self._tuning.current, self._tuning.best
        if best == current:
            self._measure(current, f"as it is, {LAST}")
            self._tuning.gain_ratio = 1.0
            return
        rates: dict[TargetRecipe, list[float]] = {current: [], best: []}
        for each in (current, best, best, current):
            name = "as it is" if each == current else self._changes(each)
            rates[each].append(self._measure(each, f"{name}, {LAST}").rate_rps)
        own = fmean(rates[current])
        self._tuning.gain_ratio = fmean(rates[best]) / own if own else None
        if self._tuning.gain_ratio is not None and self._tuning.gain_ratio < self._needed:
            self._tell(
                f"In the last comparison the best is {self._tuning.gain_ratio:.2f} times the "
                "setting as it is: too little, it stays"
            )
            self._tuning.best = current

    def _measure(self, candidate: TargetRecipe, why: str) -> Measurement:
        measured = self._measure_once(candidate, why)
        self._tuning.measurements.append(measured)
        return measured

    def _changes(self, candidate: TargetRecipe) -> str:
        return changes(candidate, self._tuning.current)
