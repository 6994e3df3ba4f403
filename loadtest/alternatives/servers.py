"""What servers of HTTP cost by themselves: CPU time of an upload that is answered, and refused."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import psutil

from deploy.local.service import Endpoint, Launch, Service
from deploy.local.triton_server import free_ports
from loadtest.alternatives.haproxy import HaProxy
from loadtest.bench.http_messages import PATH, multipart_request
from loadtest.bench.load import Server
from loadtest.bench.load_client import ClosedLoop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from loadtest.bench.corpus import Example
    from loadtest.bench.narrator import Narrator

CLIENTS: Final = (1, 16)
_HOST: Final = "127.0.0.1"
_APP: Final = "loadtest.alternatives.bare_app:app"
_PATHS: Final = {"answered": "/answer", "refused": "/refuse"}
_UVICORN: Final = "uvicorn"
_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    _UVICORN: ("--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=error"),
    "granian": ("--interface=asgi", "--loop=uvloop", "--no-access-log", "--log-level=error"),
    "hypercorn": ("--worker-class=uvloop", "--log-level=error"),
}
_LEAD_IN_S: Final = 0.4
_NO_LIMIT: Final = 1_000


@dataclass(frozen=True)
class ServerCost:
    """One server under one load.

    Attributes:
        server: its name.
        clients: closed-loop, each with one request in flight.
        what: `answered` after 20 ms, or `refused` before the body is read.
        cpu_ms: of all its processes, a request.
    """

    server: str
    clients: int
    what: str
    cpu_ms: float


@dataclass(kw_only=True)
class _BareServer(Service):
    """One of the servers, with an application that does nothing of its own."""

    name: ClassVar[str] = "bare server"

    program: str
    port: int

    @property
    def endpoint(self) -> Endpoint:
        """Ready when it answers."""
        return Endpoint({"HTTP": self.port}, _HOST, self.port, "/answer")

    def launch(self) -> Launch:
        """Each as its module, with one process that serves."""
        listens = (
            (f"--bind={_HOST}:{self.port}",)
            if self.program == "hypercorn"
            else (f"--host={_HOST}", f"--port={self.port}")
        )
        command = (sys.executable, "-m", self.program, *_COMMANDS[self.program], *listens, _APP)
        return Launch(command, os.environ)


def compare_servers(
    examples: Sequence[Example],
    haproxy: Path | None,
    window_s: float,
    log_folder: Path,
    narrator: Narrator,
) -> list[ServerCost]:
    """Measures each server that is installed.

    Args:
        examples: what is uploaded.
        haproxy: the program, put before uvicorn; None: it is left out.
        window_s: length of each measurement, in seconds.
        log_folder: where they write their logs.
        narrator: is told the figures, and what is left out.

    Raises:
        BenchError: a server does not accept connections.
        LocalError: one does not start.
    """
    found = []
    for name in _COMMANDS:
        if importlib.util.find_spec(name) is None:
            narrator.say(f"{name} is not installed here and left out")
            continue
        with _running(name, None, log_folder) as (port, pids):
            found += list(_costs(name, port, pids, examples, window_s))
    if haproxy is not None:
        with _running(_UVICORN, haproxy, log_folder) as (port, pids):
            found += list(_costs("HAProxy and uvicorn", port, pids, examples, window_s))
    for each in found:
        narrator.say(
            f"{each.server:<20} {each.clients:>2} clients, {each.what:<8} {each.cpu_ms:.3f} ms"
        )
    return found


@contextmanager
def _running(
    program: str, haproxy: Path | None, log_folder: Path
) -> Iterator[tuple[int, list[int]]]:
    """Yields the port to ask and the ids of the processes that were started."""
    port, proxy_port = free_ports(2, _HOST)
    with ExitStack() as running:
        log_path = log_folder / f"{program}.log"
        server = running.enter_context(_BareServer(program=program, port=port, log_path=log_path))
        services: list[Service] = [server]
        if haproxy is not None:
            proxy = HaProxy(
                program=haproxy,
                port=proxy_port,
                backend_port=port,
                most_in_flight=_NO_LIMIT,
                queue_ms=_NO_LIMIT,
                log_path=log_folder / "haproxy.log",
            )
            services.append(running.enter_context(proxy))
            port = proxy_port
        yield port, [each.pid for each in services if each.pid is not None]


def _costs(
    name: str, port: int, pids: Sequence[int], examples: Sequence[Example], window_s: float
) -> Iterator[ServerCost]:
    address = (_HOST, port)
    uploads = [multipart_request(each, f"{_HOST}:{port}") for each in examples]
    for what, path in _PATHS.items():
        requests = [each.replace(PATH.encode(), path.encode(), 1) for each in uploads]
        for clients in CLIENTS:
            with ClosedLoop(Server(address, requests, ()), clients) as loop:
                loop.run(_LEAD_IN_S)
                before_s = _cpu_s(pids)
                load = loop.run(window_s)
                spent_s = _cpu_s(pids) - before_s
            yield ServerCost(name, clients, what, 1000 * spent_s / max(1, load.answers))


def _cpu_s(pids: Sequence[int]) -> float:
    total_s = 0.0
    for pid in pids:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            total_s += times.user + times.system
    return total_s
