"""One fault under load: callers come all the time, and meanwhile it strikes and is healed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from loadtest.bench.errors import BenchError
from loadtest.faults.figures import FaultFigures, Times
from loadtest.overload.load_thread import LoadThread
from loadtest.overload.open_loop import OpenLoop, Stretch

if TYPE_CHECKING:
    from pathlib import Path

    from loadtest.faults.arena import Arena
    from loadtest.faults.faults import Fault

_RESTART_S: Final = 6.0  # three Tritons, side by side, on two cores


class FaultNotDoneError(BenchError):
    """A fault could not be done or undone."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The fault {name!r} could not be done: {reason}")
        self.name = name


@dataclass(frozen=True)
class Plan:
    """How long what takes.

    Attributes:
        rate_rps: of all callers together; the three servers do about 150.
        before_s: of load without the fault.
        fault_s: of the fault.
        after_s: of load after it, the time that healing takes included.
    """

    rate_rps: float = 30.0
    before_s: float = 2.0
    fault_s: float = 4.0
    after_s: float = 8.0 + _RESTART_S

    @classmethod
    def short(cls) -> Self:
        """For a test: as short as it can be while it shows something."""
        return cls(rate_rps=20.0, before_s=1.0, fault_s=2.5, after_s=5.0)

    @property
    def total_s(self) -> float:
        """Length of the load."""
        return self.before_s + self.fault_s + self.after_s


def run_fault(arena: Arena, fault: Fault, plan: Plan) -> FaultFigures:
    """Runs one fault against a fresh gateway.

    Raises:
        FaultNotDoneError: it could not be done or undone.
        ServiceError: a server did not start.
    """
    with arena.serving(fault.variables(arena)) as server:
        with OpenLoop(server) as loop:  # so that the gateway knows what latency is usual
            loop.run([Stretch(plan.rate_rps, plan.before_s)])
        load = LoadThread(server, Stretch(plan.rate_rps, plan.total_s))
        begun_s = time.perf_counter()
        load.start()
        time.sleep(plan.before_s)
        struck_s = time.perf_counter() - begun_s
        try:
            fault.strike(arena)
            time.sleep(max(0.0, struck_s + plan.fault_s - (time.perf_counter() - begun_s)))
            fault.heal(arena)
        except OSError as error:
            raise FaultNotDoneError(fault.name, str(error)) from error
        healed_s = time.perf_counter() - begun_s
        replies = load.replies()
        if not fault.has_shown(_read_events(arena.gateway_log)):
            raise FaultNotDoneError(fault.name, "the gateway's log shows nothing of it")
        return FaultFigures.of(
            fault.name,
            replies,
            Times(struck_s, healed_s),
            has_survivors=fault.has_survivors,
            may_reset=fault.may_reset,
            has_gateway_restarted=arena.gateway is None or arena.gateway.exit_code() is not None,
        )


def _read_events(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
