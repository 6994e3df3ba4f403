"""What one replica sustains, and with which batches: by simulation, bisected over the rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadtest.capacity.errors import UnreachableTargetError
from loadtest.capacity.simulation import Setting, simulate
from loadtest.traffic.shapes import Steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.capacity.profile import Profile

MAX_SHED_RATIO: Final = 0.001
_REQUESTS: Final = 4_000  # of a run: 40 above its P99
_WARM_UP_RATIO: Final = 0.2
_STEPS: Final = 8  # of the bisection: to within 1 per cent
_DELAYS_MS: Final = (1.0, 2.0, 5.0)
_WORTH_RATIO: Final = 1.02  # a delay that brings less than this is not worth its latency


@dataclass(frozen=True)
class Sustained:
    """The best that was found for one replica.

    Attributes:
        profile: with the settings of its batches.
        rate_rps: the highest rate within the target.
        p50_ms: at that rate.
        p99_ms: at that rate.
        in_flight: requests inside at that rate, by Little's law.
    """

    profile: Profile
    rate_rps: float
    p50_ms: float
    p99_ms: float
    in_flight: float


def sustained(profile: Profile, p99_ms: float, seed: int = 0) -> Sustained:
    """Finds the highest rate of one replica at which P99 and refusals are within the target.

    Raises:
        UnreachableTargetError: there is none.
    """
    if profile.alone_ms >= p99_ms:
        raise UnreachableTargetError(p99_ms, profile.alone_ms)
    low_rps, high_rps = 0.0, profile.most_rps()
    best: Sustained | None = None
    for _ in range(_STEPS):
        rate_rps = (low_rps + high_rps) / 2
        found = _try(profile, rate_rps, p99_ms, seed)
        if found is None:
            high_rps = rate_rps
        else:
            low_rps, best = rate_rps, found
    if best is None:
        raise UnreachableTargetError(p99_ms, profile.alone_ms)
    return best


def best_batches(
    profile: Profile, p99_ms: float, tell: Callable[[Sustained], None] = lambda _: None
) -> Sustained:
    """Searches the largest batch, then the delay, that sustain the highest rate.

    Raises:
        UnreachableTargetError: none sustains any.
    """
    largest = max(max(each.service_ms) for each in profile.branches)
    best = sustained(profile.with_batching(1, 0.0), p99_ms)
    tell(best)
    for power in range(1, largest.bit_length()):
        best = _better(best, profile.with_batching(2**power, 0.0), p99_ms, tell)
    size = best.profile.branches[0].max_batch
    for delay_ms in _DELAYS_MS if size > 1 else ():
        best = _better(best, profile.with_batching(size, delay_ms), p99_ms, tell)
    return best


def _better(
    best: Sustained, profile: Profile, p99_ms: float, tell: Callable[[Sustained], None]
) -> Sustained:
    """Returns what other settings sustain, where that is worth it; mostly one trial says no."""
    if _try(profile, min(_WORTH_RATIO * best.rate_rps, profile.most_rps()), p99_ms, 0) is None:
        return best
    found = sustained(profile, p99_ms)
    tell(found)
    return found if found.rate_rps > _WORTH_RATIO * best.rate_rps else best


def _try(profile: Profile, rate_rps: float, p99_ms: float, seed: int) -> Sustained | None:
    duration_s = _REQUESTS / rate_rps
    outcome = simulate(
        Setting(
            profile=profile,
            replicas=1,
            shape=Steady(kind="steady", rate_rps=rate_rps),
            duration_s=duration_s * (1 + _WARM_UP_RATIO),
            warm_up_s=duration_s * _WARM_UP_RATIO,
            seed=seed,
            budget_s=p99_ms / 1000,
        )
    )
    latency = outcome.latency
    if not latency.count or latency.p99_ms > p99_ms or outcome.shed_ratio > MAX_SHED_RATIO:
        return None
    mean_s = sum(outcome.latencies_ms) / latency.count / 1000
    return Sustained(profile, rate_rps, latency.p50_ms, latency.p99_ms, rate_rps * mean_s)
