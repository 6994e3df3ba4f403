"""What one setting can do: the highest rate at which its P99 stays below the limit.

Rates are tried one after the other, open loop: up or down by a fifth until one is kept and one is
not, then between the two. A rate that is not kept is tried twice: it may have been a spell of the
machine. All settings start at the same rate and so meet the same rates, each with the same
arrivals: two that are equally good get the same figure.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from deploy.local.errors import ServiceError
from loadtest.bench.accounting import CpuUse, read_cpu, read_memory
from loadtest.bench.latencies import nearest_rank
from loadtest.bench.load_client import ClosedLoop
from loadtest.overload.open_loop import OpenLoop, Reply, Stretch
from loadtest.tuning.serving import candidate_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporters.recipe_sections import TargetRecipe
    from loadtest.bench.load import Server
    from loadtest.bench.subject import Subject

_STEP: Final = 1.2
_HOPELESS_RATIO: Final = 0.5  # of the first rate: nobody waits for how bad it is
_CLIENTS: Final = 8
_WARM_UP_S: Final = 1.0
_RIGHT: Final = 200


@dataclass(frozen=True)
class Attempt:
    """One rate.

    Attributes:
        rate_rps: requests a second that were due.
        p50_ms, p99_ms: of all of them; one that was refused, late or lost is infinitely late.
        is_kept: whether P99 is below the limit.
    """

    rate_rps: float
    p50_ms: float
    p99_ms: float
    is_kept: bool

    @classmethod
    def of(cls, rate_rps: float, replies: Sequence[Reply], limit_ms: float) -> Attempt:
        """Computes it from what came."""
        latencies_ms = sorted(
            1000 * reply.latency_s if reply.status == _RIGHT else math.inf for reply in replies
        )
        if not latencies_ms:  # so slow a rate that nothing was due says nothing against it
            return cls(rate_rps, 0.0, 0.0, is_kept=True)
        p50_ms, p99_ms = (nearest_rank(latencies_ms, ratio) for ratio in (0.5, 0.99))
        return cls(rate_rps, p50_ms, p99_ms, p99_ms < limit_ms)


@dataclass(frozen=True)
class Measurement:
    """One candidate, measured once.

    Attributes:
        candidate: how it was served.
        why: it was measured.
        attempts: the rates, in the order of trying.
        foreign_ratio: share of the machine that went to others meanwhile.
        pss_mib: memory of Triton and the gateway after the load; NaN where it is not known.
    """

    candidate: TargetRecipe
    why: str
    attempts: tuple[Attempt, ...]
    foreign_ratio: float = 0.0
    pss_mib: float = field(default=math.nan)

    @property
    def best(self) -> Attempt | None:
        """The highest rate that was kept; None when none was."""
        kept = (each for each in self.attempts if each.is_kept)
        return max(kept, key=lambda each: each.rate_rps, default=None)

    @property
    def rate_rps(self) -> float:
        """Its rate; 0 when none was kept."""
        return self.best.rate_rps if self.best else 0.0


class Measure(Protocol):
    """Measures candidates."""

    def __call__(self, candidate: TargetRecipe, why: str) -> Measurement:
        """Measures one."""


def find_rate(
    attempt: Callable[[float], Attempt], begin_rps: float, attempts: int
) -> tuple[Attempt, ...]:
    """Tries rates, by bracketing and bisection in logarithms.

    Args:
        attempt: sends a rate.
        begin_rps: the first rate.
        attempts: how many are tried at most.
    """
    low_rps, high_rps = 0.0, math.inf
    tried: list[Attempt] = []
    rate_rps = begin_rps
    while len(tried) < attempts and rate_rps > _HOPELESS_RATIO * begin_rps:
        tried.append(attempt(rate_rps))
        if tried[-1].is_kept:
            low_rps = rate_rps
        else:
            high_rps = rate_rps
        if math.isinf(high_rps):
            rate_rps = low_rps * _STEP
        elif low_rps == 0:
            rate_rps = high_rps / _STEP
        else:
            rate_rps = math.sqrt(low_rps * high_rps)
    return tuple(tried)


class ServedMeasure:
    """Measures candidates on the real service: a Triton and a gateway of their own for each."""

    def __init__(
        self,
        subject: Subject,
        limit_ms: float,
        seconds: float,
        attempts: int,
        tell: Callable[[str], None],
    ) -> None:
        """Prepares; nothing is started yet.

        Args:
            subject: what is served, and the requests.
            limit_ms: of P99; the gateway's deadline is the same.
            seconds: of each rate.
            attempts: rates of each candidate.
            tell: is told of each candidate.
        """
        self._subject = subject
        self._limit_ms = limit_ms
        self._seconds = seconds
        self._attempts = attempts
        self._tell = tell
        self._begin_rps: float | None = None

    def __call__(self, candidate: TargetRecipe, why: str) -> Measurement:
        """Starts, warms up, loads and stops the service; what cannot be served keeps no rate.

        Raises:
            ServiceError: the very first cannot be served.
        """
        try:
            measured = self._measure(candidate, why)
        except ServiceError as error:
            if self._begin_rps is None:
                raise
            measured = Measurement(candidate, why, ())
            self._tell(f"{why}: is not served ({error})")
        else:
            self._tell(describe(measured))
        return measured

    def _measure(self, candidate: TargetRecipe, why: str) -> Measurement:
        budget = {"DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": f"{self._limit_ms:g}"}
        with (
            candidate_repository(self._subject, candidate) as subject,
            subject.stack(budget) as stack,
        ):
            server = subject.server(stack.address)
            with ClosedLoop(server, _CLIENTS) as loop:
                loop.run(_WARM_UP_S)
                if self._begin_rps is None:  # of the first candidate: all begin at one rate
                    self._begin_rps = max(1.0, 0.8 * loop.run(self._seconds).throughput_rps)

            before = read_cpu()
            tried = find_rate(
                lambda rate_rps: self._attempt(server, rate_rps), self._begin_rps, self._attempts
            )
            cpu = CpuUse.between(before, read_cpu())
            pids = [each.pid for each in stack.services if each.pid is not None]
            memory = read_memory(pids)
        return Measurement(candidate, why, tried, cpu.foreign_ratio, memory.pss_mib)

    def _attempt(self, server: Server, rate_rps: float) -> Attempt:
        """Sends a rate, and once more where it is not kept."""
        made: list[Attempt] = []
        for turn in ("first", "second"):
            seed = zlib.crc32(f"{turn} {rate_rps:.6f}".encode())
            with OpenLoop(server) as loop:
                replies = loop.run([Stretch(rate_rps, self._seconds)], seed)
            made.append(Attempt.of(rate_rps, replies, self._limit_ms))
            if made[-1].is_kept:
                break
        return made[-1]


def describe(measured: Measurement) -> str:
    """Says what came out."""
    best = measured.best
    said = f"{best.rate_rps:5.1f}/s at a P99 of {best.p99_ms:.0f} ms" if best else "no rate kept"
    return (
        f"{measured.why}: {said}; {measured.pss_mib:.0f} MiB, foreign CPU "
        f"{measured.foreign_ratio:.0%}"
    )
