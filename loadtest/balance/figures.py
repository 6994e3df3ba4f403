"""How evenly three servers are asked, and what the death of one cost; and what that is held to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from loadtest.bench.targets import Verdict
from loadtest.faults.figures import GRACE_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.overload.open_loop import Reply

MAX_SPREAD_RATIO: Final = 0.1
_ANSWERED: Final = 200
_REFUSED_AT_ARRIVAL: Final = 429


@dataclass(frozen=True)
class Share:
    """What servers answered in one stretch of load.

    Attributes:
        name: of the stretch.
        answered: requests by server, as each Triton counted them.
        spread_ratio: by how much the busiest did more than the idlest.
        statuses: replies to callers by HTTP status; "0" is no answer.
        broken: requests that were let in and not answered by their deadline.
        worst_ms: the latest of all replies.
    """

    name: str
    answered: Mapping[str, int]
    spread_ratio: float
    statuses: Mapping[str, int]
    broken: int
    worst_ms: float

    @classmethod
    def of(
        cls, name: str, answered: Mapping[str, int], replies: Sequence[Reply], deadline_s: float
    ) -> Self:
        """Computes it.

        Args:
            name: of the stretch.
            answered: requests by server, of those that are meant to have some.
            replies: all of the stretch.
            deadline_s: of each request, from its arrival.
        """
        most, fewest = max(answered.values()), min(answered.values())
        return cls(
            name=name,
            answered=dict(answered),
            spread_ratio=most / fewest - 1 if fewest else float("inf"),
            statuses=dict(sorted(Counter(str(each.status) for each in replies).items())),
            broken=sum(is_broken(each, deadline_s) for each in replies),
            worst_ms=1000 * max((each.latency_s for each in replies), default=0.0),
        )


@dataclass(frozen=True)
class Balance:
    """One run.

    Attributes:
        shares: of its stretches.
        noticed_s: from the name's losing an address to the gateway's asking it no more.
    """

    shares: tuple[Share, ...]
    noticed_s: float


def is_broken(reply: Reply, deadline_s: float) -> bool:
    """Whether a request was let in and not answered well by its deadline."""
    if reply.status == _REFUSED_AT_ARRIVAL:
        return False
    return reply.status != _ANSWERED or reply.latency_s > deadline_s + GRACE_S


def judge(balance: Balance) -> tuple[Verdict, ...]:
    """Holds a run against the targets."""
    verdicts = []
    for each in balance.shares:
        if len(each.answered) > 2:
            spread = f"{each.name}: the busiest above the idlest"
            verdicts.append(Verdict(spread, each.spread_ratio, MAX_SPREAD_RATIO, False, ""))
        broken = f"{each.name}: let in and not answered in time"
        verdicts.append(Verdict(broken, each.broken, 1, False, ""))
    return tuple(verdicts)
