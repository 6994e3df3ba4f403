"""What a load test gave, computed from its replies, and whether it has passed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from loadtest.bench.latencies import Percentiles
from loadtest.bench.targets import Verdict
from loadtest.traffic.replies import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loadtest.traffic.replies import Reply
    from loadtest.traffic.scenario import Limits, Scenario


@dataclass(frozen=True)
class Share:
    """Requests of one kind.

    Attributes:
        requests: that were due.
        goodput_ratio: right answers in time, of them.
        error_ratio: wrong, failed and missing answers, of them.
        refused_ratio: refusals, of them.
        right: latencies of right answers, from their due times.
        refused: latencies of refusals.
    """

    requests: int
    goodput_ratio: float
    error_ratio: float
    refused_ratio: float
    right: Percentiles
    refused: Percentiles

    @classmethod
    def of(cls, replies: Sequence[Reply], promise_ms: float) -> Self:
        """Computes them; ratios are NaN when nothing was due."""
        count = len(replies) or float("nan")
        outcomes = Counter(reply.outcome for reply in replies)
        right = _latencies_ms(replies, Outcome.RIGHT)
        refused = outcomes[Outcome.REFUSED]
        return cls(
            requests=len(replies),
            goodput_ratio=sum(latency_ms < promise_ms for latency_ms in right) / count,
            error_ratio=(len(replies) - outcomes[Outcome.RIGHT] - refused) / count,
            refused_ratio=refused / count,
            right=Percentiles.of(right),
            refused=Percentiles.of(_latencies_ms(replies, Outcome.REFUSED)),
        )


@dataclass(frozen=True)
class RunFigures:
    """One run.

    Attributes:
        duration_s: of the scenario.
        offered_rps: requests that were due, a second.
        whole: of all requests.
        by_protocol: of each protocol.
        by_modalities: of what they held.
        sender_late: how late the senders themselves were, in ms: part of each latency.
        troubles: what else came than right answers, with how often; the ten most frequent.
    """

    duration_s: float
    offered_rps: float
    whole: Share
    by_protocol: Mapping[str, Share]
    by_modalities: Mapping[str, Share]
    sender_late: Percentiles
    troubles: Mapping[str, int]

    @classmethod
    def of(cls, scenario: Scenario, replies: Sequence[Reply]) -> Self:
        """Computes them."""
        promise_ms = scenario.limits.promise_ms
        troubles = Counter(
            f"{reply.outcome}: {reply.what}" for reply in replies if reply.outcome != Outcome.RIGHT
        )
        return cls(
            duration_s=scenario.duration_s,
            offered_rps=len(replies) / scenario.duration_s,
            whole=Share.of(replies, promise_ms),
            by_protocol={
                name: Share.of([r for r in replies if r.protocol == name], promise_ms)
                for name in sorted({reply.protocol for reply in replies})
            },
            by_modalities={
                name: Share.of([r for r in replies if r.modalities == name], promise_ms)
                for name in sorted({reply.modalities for reply in replies})
            },
            sender_late=Percentiles.of(1000 * reply.late_s for reply in replies),
            troubles=dict(troubles.most_common(10)),
        )


def judge(figures: RunFigures, limits: Limits) -> tuple[Verdict, ...]:
    """Holds a run against the limits of its scenario; what could not be measured has failed."""
    whole, below = figures.whole, False
    return (
        Verdict("P99 of right answers", whole.right.p99_ms, limits.p99_ms, below, "ms"),
        _spared("without error / requests", whole.error_ratio, limits.max_error_ratio),
        _spared("not refused / requests", whole.refused_ratio, limits.max_refused_ratio),
        Verdict(
            f"right within {limits.promise_ms:g} ms / requests",
            whole.goodput_ratio,
            limits.min_goodput_ratio,
            is_lower_bound=True,
            unit="",
        ),
    )


def _spared(name: str, ratio: float, limit: float) -> Verdict:
    # A budget may be used up whole, and a figure that is bounded above must stay below its limit.
    return Verdict(name, 1 - ratio, 1 - limit, is_lower_bound=True, unit="")


def _latencies_ms(replies: Iterable[Reply], outcome: Outcome) -> list[float]:
    return [1000 * reply.latency_s for reply in replies if reply.outcome == outcome]
