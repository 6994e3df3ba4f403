"""Throughput of two variants behind two stacks that take turns, and what it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from loadtest.bench.rounds import RepeatBudget, Turns, throughput_ratios
from loadtest.bench.targets import Verdict
from loadtest.bench.window import UnderLoad

if TYPE_CHECKING:
    from loadtest.bench.narrator import Narrator
    from loadtest.bench.subject import Subject
    from loadtest.bench.window import Window

MIN_THROUGHPUT_RATIO: Final = 1.5

# Throughput is measured here, not the deadline: on a busy machine the gateway would refuse what
# cannot make 500 ms, and refusals cost time too.
_PATIENT: Final = {"DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": "10000"}
_CLIENTS: Final = 16
_ROUNDS: Final = 5
_REPEATS: Final = 4


@dataclass(frozen=True)
class Gain:
    """What compression brings to the served path.

    Attributes:
        clients: closed-loop clients of each window.
        throughput_rps: median of the windows, by variant.
        ratios: compressed over original, round by round.
        failures: answers that were none, by variant.
    """

    clients: int
    throughput_rps: dict[str, float]
    ratios: tuple[float, ...]
    failures: dict[str, int]

    @property
    def ratio(self) -> float:
        """Median of the rounds; NaN when nothing was answered."""
        return median(self.ratios) if self.ratios else float("nan")


def measure(original: Subject, compressed: Subject, window_s: float, narrator: Narrator) -> Gain:
    """Loads both services by turns; the one that waits is up and idle.

    Raises:
        BenchError, LocalError: a server did not start or does not answer.
    """
    names = [subject.variant.name for subject in (original, compressed)]
    with original.stack(_PATIENT) as first, compressed.stack(_PATIENT) as second:
        contestants = [
            UnderLoad(name, subject.server(stack.address), _CLIENTS)
            for name, subject, stack in zip(
                names, (original, compressed), (first, second), strict=True
            )
        ]
        for contestant in contestants:
            contestant.measure(min(2.0, window_s))  # caches and code that is compiled on first use

        def tell(number: int, window: Window) -> None:
            narrator.say(
                f"round {number}: {window.contestant} {window.sample.throughput_rps:.1f} requests/s"
            )

        rounds = Turns(_ROUNDS, window_s).take(contestants, RepeatBudget(_REPEATS), tell)
    windows = {name: [each[name] for each in rounds] for name in names}
    return Gain(
        clients=_CLIENTS,
        throughput_rps={
            name: median(window.sample.throughput_rps for window in of)
            for name, of in windows.items()
        },
        ratios=tuple(throughput_ratios(rounds, of=names[1], to=names[0])),
        failures={
            name: sum(window.sample.failures.total() for window in of)
            for name, of in windows.items()
        },
    )


def judge(gain: Gain) -> tuple[Verdict, ...]:
    """Holds a gain against the target."""
    return (
        Verdict(
            f"throughput at {gain.clients} clients, compressed / original",
            gain.ratio,
            MIN_THROUGHPUT_RATIO,
            is_lower_bound=True,
            unit="",
        ),
        Verdict(
            "wrong or refused answers",
            sum(gain.failures.values()),
            1,
            is_lower_bound=False,
            unit="",
        ),
    )
