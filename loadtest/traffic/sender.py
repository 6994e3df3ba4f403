"""A process that sends: alone, as the master of others, or as a worker of a master.

`python -m loadtest.traffic.sender alone|master|worker …`, started by `loadtest run` and `loadtest
worker`. Locust patches whatever imports it for gevent, so nothing else of the load test runs here.
A master sends nothing itself: it hands out the order, says when all begin, and gathers replies.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# Before anything that opens sockets or starts threads: it patches the process.
import gevent
from grpc.experimental import gevent as grpc_gevent
from locust import User  # noqa: TC002  # locust first: it patches the process
from locust.env import Environment
from locust.event import Events

from loadtest.bench.errors import BenchError
from loadtest.traffic import ledger
from loadtest.traffic.errors import MasterError
from loadtest.traffic.order import PATIENCE_S, Order
from loadtest.traffic.replies import Outcome, Reply
from loadtest.traffic.users import CALLERS, ENDED, REPLIES, Caller, Work

if TYPE_CHECKING:
    from locust.runners import Runner

_ORDER: Final = "diptych_order"
_READY: Final = "diptych_ready"
_UNABLE: Final = "diptych_unable"
_BEGIN: Final = "diptych_begin"
_LEAD_S: Final = 1.5  # from the start signal until the first may be due
_HAND_OVER_S: Final = 1.0
_TELL_S: Final = 5.0
_CONNECT_S: Final = 120.0
_SPAWN_RATE: Final = 100


class _Gatherer:
    """Takes the replies of all users, and says how it goes."""

    def __init__(self, duration_s: float) -> None:
        self.replies: list[Reply] = []
        self.ended = 0
        self.ready: set[str] = set()
        self.obstacle: str | None = None
        self._duration_s = duration_s
        self._told = 0

    def register(self, runner: Runner) -> None:
        runner.register_message(REPLIES, self._take)
        runner.register_message(ENDED, self._end)
        runner.register_message(_READY, self._note_ready)
        runner.register_message(_UNABLE, self._note_obstacle)

    def _take(self, msg: Any, **_: Any) -> None:  # noqa: ANN401  # locust's message
        self.replies += [Reply(*row) for row in msg.data["rows"]]

    def _end(self, **_: Any) -> None:  # noqa: ANN401
        self.ended += 1

    def _note_ready(self, msg: Any, **_: Any) -> None:  # noqa: ANN401
        self.ready.add(str(msg.node_id))

    def _note_obstacle(self, msg: Any, **_: Any) -> None:  # noqa: ANN401
        self.obstacle = str(msg.data["reason"])

    def wait(self, users: int, begin_at_s: float) -> None:
        """Waits until all users have ended, or have had time enough."""
        patience_s = self._duration_s + 4 * PATIENCE_S
        tell_at_s = begin_at_s + _TELL_S
        while self.ended < users and time.time() < begin_at_s + patience_s:
            gevent.sleep(0.1)
            if time.time() >= tell_at_s:
                tell_at_s += _TELL_S
                self._tell(time.time() - begin_at_s)
        if self.ended < users:
            self.obstacle = (
                f"{users - self.ended} of {users} users have not ended: a worker is lost"
            )

    def _tell(self, passed_s: float) -> None:
        fresh, self._told = self.replies[self._told :], len(self.replies)
        outcomes = Counter(reply.outcome for reply in fresh)
        right = sorted(reply.latency_s for reply in fresh if reply.outcome == Outcome.RIGHT)
        slowest = f", slowest {1000 * right[-1]:.0f} ms" if right else ""
        parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        line = f"{passed_s:5.0f}/{self._duration_s:.0f} s  {parts or 'no answer yet'}{slowest}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def main() -> int:
    """Runs one of the three; returns the exit status."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    grpc_gevent.init_gevent()
    gevent.get_hub().NOT_ERROR += (KeyboardInterrupt,)  # Ctrl-C needs no traceback
    try:
        if arguments.role == "worker":
            return _worker(arguments.host, arguments.port, arguments.samples)
        order = Order.model_validate_json(arguments.order.read_bytes())
        gatherer = _alone(order) if arguments.role == "alone" else _master(order, arguments)
        ledger.write(arguments.replies, gatherer.replies)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    if gatherer.obstacle:
        sys.stderr.write(f"{gatherer.obstacle}\n")
    return 2 if gatherer.obstacle else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.traffic.sender", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    for role in ("alone", "master"):
        sub = roles.add_parser(role)
        sub.add_argument("--order", type=Path, required=True)
        sub.add_argument("--replies", type=Path, required=True)
        if role == "master":
            sub.add_argument("--bind", default="127.0.0.1")
            sub.add_argument("--port", type=int, required=True)
    worker = roles.add_parser("worker")
    worker.add_argument("--host", required=True)
    worker.add_argument("--port", type=int, required=True)
    worker.add_argument("--samples", type=Path)
    return parser.parse_args()


def _environment(order: Order | None, senders: int) -> Environment:
    """Makes an environment with a user a sender of each protocol; a worker knows none yet."""
    callers = [CALLERS[each] for each in (order.scenario.protocols if order else CALLERS)]
    for caller in callers:
        caller.fixed_count = senders
    classes: list[type[User]] = list(callers)
    events = Events()  # type: ignore[no-untyped-call]  # locust annotates the rest
    return Environment(user_classes=classes, events=events, stop_timeout=PATIENCE_S)


def _alone(order: Order) -> _Gatherer:
    Caller.work = Work(order, Path(order.samples))
    environment = _environment(order, 1)
    runner = environment.create_local_runner()
    gatherer = _Gatherer(order.scenario.duration_s)
    gatherer.register(runner)
    begin_at_s = time.time() + _LEAD_S
    Caller.work.begin(begin_at_s)
    users = len(order.scenario.protocols)
    runner.start(users, spawn_rate=_SPAWN_RATE)
    pump = gevent.spawn(_pump, Caller.work, runner)
    gatherer.wait(users, begin_at_s)
    pump.kill()
    runner.quit()
    return gatherer


def _pump(work: Work, runner: Runner) -> None:
    while True:
        gevent.sleep(_HAND_OVER_S)
        work.hand_over(runner)


def _master(order: Order, arguments: argparse.Namespace) -> _Gatherer:
    environment = _environment(order, order.senders)
    runner = environment.create_master_runner(arguments.bind, arguments.port)
    gatherer = _Gatherer(order.scenario.duration_s)
    gatherer.register(runner)
    try:
        if not _make_ready(runner, order, gatherer):
            return gatherer
        begin_at_s = time.time() + _LEAD_S
        runner.send_message(_BEGIN, {"at_s": begin_at_s})
        users = order.senders * len(order.scenario.protocols)
        runner.start(users, spawn_rate=_SPAWN_RATE)
        gatherer.wait(users, begin_at_s)
    finally:
        runner.quit()
    return gatherer


def _make_ready(runner: Runner, order: Order, gatherer: _Gatherer) -> bool:
    """Hands the order to workers until all are ready; says again what one may not have heard."""
    end_s = time.time() + _CONNECT_S
    while len(gatherer.ready) < order.senders and not gatherer.obstacle:
        if time.time() > end_s:
            gatherer.obstacle = (
                f"{len(gatherer.ready)} of {order.senders} workers came within {_CONNECT_S:.0f} s"
            )
            return False
        runner.send_message(_ORDER, {"json": order.model_dump_json()})
        gevent.sleep(0.5)
    return gatherer.obstacle is None


def _worker(host: str, port: int, samples: Path | None) -> int:
    environment = _environment(None, 1)
    place = f"{host}:{port}"
    try:
        socket.getaddrinfo(host, port)  # locust would try a wrong name again and again
        runner = environment.create_worker_runner(host, port)
    except (socket.gaierror, UnicodeError) as error:  # a name of odd characters is the second
        raise MasterError(place, "no such name") from error
    except ConnectionError as error:
        raise MasterError(place, "nobody answers") from error

    def prepare(msg: Any, **_: Any) -> None:  # noqa: ANN401  # locust's message
        if not hasattr(Caller, "work"):
            order = Order.model_validate_json(msg.data["json"])
            try:
                Caller.work = Work(order, samples or Path(order.samples))
            except BenchError as error:
                runner.send_message(_UNABLE, {"reason": str(error)})
                return
            gevent.spawn(_pump, Caller.work, runner)
        runner.send_message(_READY, {})

    def begin(msg: Any, **_: Any) -> None:  # noqa: ANN401
        Caller.work.begin(msg.data["at_s"])

    runner.register_message(_ORDER, prepare)
    runner.register_message(_BEGIN, begin)
    runner.greenlet.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
