"""What one overload gave, computed from its replies; and the targets it is held against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from loadtest.bench.latencies import Percentiles
from loadtest.bench.targets import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loadtest.bench.accounting import CpuUse
    from loadtest.overload.open_loop import Reply

PROMISE_S: Final = 0.5
REFUSED: Final = 429
MIN_GOODPUT_RATIO: Final[Mapping[int, float]] = {2: 0.95, 4: 0.90, 10: 0.80}
MAX_ADMITTED_P99_MS: Final = 500.0
MAX_REFUSAL_P99_MS: Final = 50.0
MAX_RECOVERY_S: Final = 1.0


def is_kept(reply: Reply) -> bool:
    """Whether the promise was kept: a right answer within 500 ms of the due time."""
    return reply.status == 200 and reply.latency_s < PROMISE_S


@dataclass(frozen=True)
class OverloadFigures:
    """One overload and the calm after it.

    Attributes:
        multiple: of the sustainable rate.
        offered_rps: requests that were due, per second.
        in_time_rps: right answers within 500 ms, per second.
        goodput_ratio: the same, over the sustainable rate.
        admitted: latencies of all that were not refused, failures included.
        refusals: latencies of refusals.
        statuses: replies by HTTP status; "0" is no answer.
        recovery_s: from the end of the load to the due time of the last request that was refused
            or late.
        cpu_s: CPU time of the load, by process; "client" is the load tool.
        foreign_ratio: share of the machine that went to others.
    """

    multiple: int
    offered_rps: float
    in_time_rps: float
    goodput_ratio: float
    admitted: Percentiles
    refusals: Percentiles
    statuses: Mapping[str, int]
    recovery_s: float
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    foreign_ratio: float = 0.0

    @classmethod
    def of(
        cls,
        multiple: int,
        sustainable_rps: float,
        replies: Sequence[Reply],
        duration_s: float,
        cpu: CpuUse,
    ) -> Self:
        """Computes them.

        Args:
            multiple: how many times the sustainable rate was sent.
            sustainable_rps: that rate.
            replies: of the load and of the calm after it.
            duration_s: of the load; what was due later is the calm.
            cpu: who used the CPU meanwhile.
        """
        load = [reply for reply in replies if reply.due_s < duration_s]
        in_time_rps = sum(map(is_kept, load)) / duration_s
        return cls(
            multiple=multiple,
            offered_rps=len(load) / duration_s,
            in_time_rps=in_time_rps,
            goodput_ratio=in_time_rps / sustainable_rps,
            admitted=_latency(reply for reply in load if reply.status != REFUSED),
            refusals=_latency(reply for reply in load if reply.status == REFUSED),
            statuses=dict(Counter(str(reply.status) for reply in load)),
            recovery_s=recovery_s(replies, duration_s),
            cpu_s=cpu.by_process_s,
            foreign_ratio=cpu.foreign_ratio,
        )


def recovery_s(replies: Iterable[Reply], load_end_s: float) -> float:
    """Returns how long after the load a request still was refused or late, in seconds."""
    unkept = (
        reply.due_s - load_end_s
        for reply in replies
        if reply.due_s >= load_end_s and not is_kept(reply)
    )
    return max(unkept, default=0.0)


def judge(figures: Sequence[OverloadFigures]) -> tuple[Verdict, ...]:
    """Holds all overloads against the targets."""
    verdicts = []
    for each in figures:
        at = f"at {each.multiple} times the sustainable rate"
        verdicts += [
            Verdict(
                f"in time {at} / sustainable",
                each.goodput_ratio,
                MIN_GOODPUT_RATIO[each.multiple],
                is_lower_bound=True,
                unit="",
            ),
            Verdict(
                f"P99 of admitted {at}", each.admitted.p99_ms, MAX_ADMITTED_P99_MS, False, "ms"
            ),
            Verdict(f"P99 of refusals {at}", each.refusals.p99_ms, MAX_REFUSAL_P99_MS, False, "ms"),
            Verdict(f"recovery {at}", each.recovery_s, MAX_RECOVERY_S, False, "s"),
        ]
    return tuple(verdicts)


def _latency(replies: Iterable[Reply]) -> Percentiles:
    return Percentiles.of(reply.latency_s * 1000 for reply in replies)
