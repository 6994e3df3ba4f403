"""One run: all three, one killed under load, and all three again."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from loadtest.balance.figures import Balance, Share
from loadtest.balance.servers import ADDRESSES
from loadtest.bench.errors import BenchError
from loadtest.overload.load_thread import LoadThread
from loadtest.overload.open_loop import Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtest.balance.servers import Servers
    from loadtest.bench.narrator import Narrator

_VICTIM, *_SURVIVORS = ADDRESSES
_POLL_S: Final = 0.1
_LIMIT_S: Final = 30.0


class NameNotFollowedError(BenchError):
    """The gateway does not ask the servers that the name lists."""

    def __init__(self, wanted: set[str], found: set[str]) -> None:
        super().__init__(
            f"The gateway asks {sorted(found)} and the name lists {sorted(wanted)}, for "
            f"{_LIMIT_S:.0f} s: see the gateway's log."
        )
        self.wanted = wanted
        self.found = found


@dataclass(frozen=True)
class Plan:
    """How long what takes.

    Attributes:
        rate_rps: of all callers together; three servers do about 150.
        share_s: of a stretch in which shares are compared.
        kill_s: of load in which one is killed, at first still listed.
        listed_s: how long a dead server stays in the name, as probes need time to see it.
        lookup_s: time between two of the gateway's look-ups.
        budget_ms: the gateway's for a request.
        has_return: whether the dead one comes back at the end.
    """

    rate_rps: float = 45.0
    share_s: float = 30.0
    kill_s: float = 16.0
    listed_s: float = 3.0
    lookup_s: float = 5.0
    budget_ms: int = 500
    has_return: bool = True

    def variables(self) -> dict[str, str]:
        """Returns what the gateway is told of it."""
        return {
            "DIPTYCH_GATEWAY_ENDPOINT_LOOKUP_S": str(self.lookup_s),
            "DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": str(self.budget_ms),
        }

    @classmethod
    def short(cls) -> Self:
        """For a test: as short as it can be while it shows something, on a busy machine too."""
        return cls(
            share_s=14.0,
            kill_s=6.0,
            listed_s=1.5,
            lookup_s=0.5,
            budget_ms=2_000,
            has_return=False,
        )


def run_balance(servers: Servers, plan: Plan, narrator: Narrator) -> Balance:
    """Runs it.

    Raises:
        NameNotFollowedError: the gateway does not ask whom the name lists.
        BenchError: the gateway does not accept connections.
        ServiceError: the Triton that was killed does not start again.
    """
    _load(servers, plan, "warming up", 1.0, ADDRESSES)
    shares = [_load(servers, plan, "three servers", plan.share_s, ADDRESSES)]
    narrator.say(_told(shares[-1]))

    noticed_s = 0.0

    def kill() -> None:
        nonlocal noticed_s
        os.kill(servers.tritons[_VICTIM].pid or 0, signal.SIGKILL)
        time.sleep(plan.listed_s)
        servers.names.list_only(_SURVIVORS)
        noticed_s = _await_known(servers, set(_SURVIVORS))

    shares.append(_load(servers, plan, "one is killed", plan.kill_s, _SURVIVORS, kill))
    narrator.say(f"{_told(shares[-1])}; left out {noticed_s:.1f} s after the name")
    if plan.has_return:
        servers.restart(_VICTIM)
        servers.names.list_only(ADDRESSES)
        _await_known(servers, set(ADDRESSES))
        shares.append(_load(servers, plan, "it is back", plan.share_s, ADDRESSES))
        narrator.say(_told(shares[-1]))
    return Balance(tuple(shares), noticed_s)


def _load(
    servers: Servers,
    plan: Plan,
    name: str,
    duration_s: float,
    addresses: Sequence[str],
    strike: Callable[[], None] | None = None,
) -> Share:
    before = {each: servers.served(each) for each in addresses}
    load = LoadThread(servers.gateway, Stretch(plan.rate_rps, duration_s))
    load.start()
    if strike is not None:
        time.sleep(duration_s / 4)
        strike()
    replies = load.replies()
    answered = {each: servers.served(each) - before[each] for each in addresses}
    return Share.of(name, answered, replies, plan.budget_ms / 1000)


def _await_known(servers: Servers, wanted: set[str]) -> float:
    """Waits until the gateway knows these servers and no others; returns how long, in seconds."""
    begun_s = time.monotonic()
    while (found := servers.known()) != wanted:
        if time.monotonic() > begun_s + _LIMIT_S:
            raise NameNotFollowedError(wanted, found)
        time.sleep(_POLL_S)
    return time.monotonic() - begun_s


def _told(share: Share) -> str:
    counts = ", ".join(f"{address} {count}" for address, count in share.answered.items())
    return (
        f"{share.name}: {counts}; the busiest {share.spread_ratio:.1%} above the idlest; "
        f"{share.broken} broken, the latest {share.worst_ms:.0f} ms, {dict(share.statuses)}"
    )
