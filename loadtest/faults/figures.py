"""What one fault did to callers, computed from their replies; and what it is held against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from loadtest.bench.targets import Verdict
from loadtest.overload.open_loop import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.overload.open_loop import Reply

DEADLINE_S: Final = 0.5
GRACE_S: Final = 0.15
"""How much later than the deadline an answer may come.

The deadline is counted by the gateway from the first byte; the bench counts from when the request
was due. Between them lie the load tool's own lateness, a connection, and the gateway's event loop,
which shares two cores with three Tritons that fail, start and are started again.
"""

HONEST: Final = frozenset({200, 429, 500, 503, 504})
MAX_RECOVERY_S: Final = 5.5
"""The longest time for which a circuit breaker stays open, and a deadline."""

MIN_SURVIVOR_RATIO: Final = 0.95


@dataclass(frozen=True)
class Times:
    """When what happened, in seconds from the begin of the load."""

    struck_s: float
    healed_s: float


@dataclass(frozen=True)
class FaultFigures:
    """One fault.

    Attributes:
        name: of the fault.
        has_survivors: whether servers were left that were well.
        requests: that were due.
        statuses: replies by HTTP status; "0" is no answer.
        dishonest: requests with no answer, with one that says nothing honest, or with one later
            than the deadline and a grace.
        resets: connections that were reset in time, where that is all a caller can be told.
        answered_ratio: share of those due during the fault that were answered 200 in time.
        worst_ms: the latest of all answers.
        fault_s: how long the cause was there.
        recovery_s: from the end of the cause to the due time of the last request that failed.
        has_gateway_restarted: whether the gateway ended meanwhile.
    """

    name: str
    has_survivors: bool
    requests: int
    statuses: Mapping[str, int]
    dishonest: int
    resets: int
    answered_ratio: float
    worst_ms: float
    fault_s: float
    recovery_s: float
    has_gateway_restarted: bool

    @classmethod
    def of(
        cls,
        name: str,
        replies: Sequence[Reply],
        times: Times,
        *,
        has_survivors: bool,
        may_reset: bool,
        has_gateway_restarted: bool,
    ) -> Self:
        """Computes them.

        Args:
            name: of the fault.
            replies: of the whole run.
            times: of the fault.
            has_survivors: whether servers were left that were well.
            may_reset: whether a connection that is reset in time counts as honest.
            has_gateway_restarted: whether the gateway ended meanwhile.
        """
        during = [each for each in replies if times.struck_s <= each.due_s < times.healed_s]
        failed = (
            each.due_s - times.healed_s
            for each in replies
            if each.due_s >= times.healed_s and not _is_good(each)
        )
        unanswered = [each for each in replies if not is_honest(each)]
        resets = sum(each.status == NO_ANSWER and _is_in_time(each) for each in unanswered)
        return cls(
            name=name,
            has_survivors=has_survivors,
            requests=len(replies),
            statuses=dict(sorted(Counter(str(each.status) for each in replies).items())),
            dishonest=len(unanswered) - (resets if may_reset else 0),
            resets=resets,
            answered_ratio=sum(map(_is_good, during)) / max(1, len(during)),
            worst_ms=1000 * max((each.latency_s for each in replies), default=0.0),
            fault_s=times.healed_s - times.struck_s,
            recovery_s=max(failed, default=0.0),
            has_gateway_restarted=has_gateway_restarted,
        )


def is_honest(reply: Reply) -> bool:
    """Whether a caller was told in time what became of its request."""
    return reply.status in HONEST and _is_in_time(reply)


def judge(figures: Sequence[FaultFigures]) -> tuple[Verdict, ...]:
    """Holds all faults against the targets."""
    verdicts = []
    for each in figures:
        verdicts += [
            Verdict(f"{each.name}: without an honest answer", each.dishonest, 1, False, ""),
            Verdict(f"{each.name}: recovery", each.recovery_s, MAX_RECOVERY_S, False, "s"),
            Verdict(
                f"{each.name}: restarts of the gateway", each.has_gateway_restarted, 1, False, ""
            ),
        ]
        if each.has_survivors:
            verdicts.append(
                Verdict(
                    f"{each.name}: answered meanwhile",
                    each.answered_ratio,
                    MIN_SURVIVOR_RATIO,
                    is_lower_bound=True,
                    unit="",
                )
            )
    return tuple(verdicts)


def _is_good(reply: Reply) -> bool:
    return reply.status == 200 and _is_in_time(reply)


def _is_in_time(reply: Reply) -> bool:
    return reply.latency_s <= DEADLINE_S + GRACE_S
