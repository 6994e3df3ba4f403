"""Runs a scenario: one process that sends, or a master and its workers; then the figures."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from deploy.local.triton_server import free_ports
from loadtest.traffic import ledger
from loadtest.traffic.errors import SenderError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtest.traffic.order import Order
    from loadtest.traffic.replies import Reply

_STOP_S: Final = 10.0
_LAST_WORDS: Final = 600


@dataclass(frozen=True)
class Crew:
    """Who sends.

    Attributes:
        local_workers: processes of this machine; 0 and no others: one process without a master.
        remote_workers: that others start with `loadtest worker`.
        bind: address that the master listens on.
        port: of it; None: a free one.
    """

    local_workers: int = 0
    remote_workers: int = 0
    bind: str = "127.0.0.1"
    port: int | None = None

    @property
    def senders(self) -> int:
        """Processes that share the rate."""
        return max(1, self.local_workers + self.remote_workers)

    @property
    def has_senders_elsewhere(self) -> bool:
        """Whether others are to come from other machines: on loopback nobody else can."""
        is_loopback = self.bind.startswith("127.") or self.bind in {"localhost", "::1"}
        return self.remote_workers > 0 and not is_loopback

    @property
    def has_master(self) -> bool:
        """Whether a master hands out the work."""
        return self.local_workers + self.remote_workers > 0


def send(order: Order, crew: Crew, say: Callable[[str], None] = lambda _: None) -> list[Reply]:
    """Sends a scenario and returns what became of each request.

    Whatever ends it, Ctrl-C included, every process it started is stopped before it returns.

    Args:
        order: what to send, and where to.
        crew: who sends.
        say: is told how others join, where others are awaited.

    Raises:
        SenderError: the process that sends ended without its replies.
    """
    with TemporaryDirectory(prefix="diptych-load-") as folder, ExitStack() as stack:
        order_path, replies_path, log_path = (
            Path(folder) / name for name in ("order.json", "replies.jsonl", "sender.log")
        )
        order_path.write_text(order.model_dump_json(), encoding="utf-8")
        files = (f"--order={order_path}", f"--replies={replies_path}")
        log = stack.enter_context(log_path.open("wb"))
        if crew.has_master:
            port = crew.port or free_ports(1)[0]
            place = (f"--bind={crew.bind}", f"--port={port}")
            main = _start(stack, ("master", *files, *place), log.fileno())
            if crew.remote_workers:
                say(_invitation(crew, port))
            for _ in range(crew.local_workers):
                worker = ("worker", "--host=127.0.0.1", f"--port={port}")
                _start(stack, worker, log.fileno())
        else:
            main = _start(stack, ("alone", *files), log.fileno())
        status = main.wait()
        if status != 0 or not replies_path.exists():
            words = log_path.read_text(encoding="utf-8", errors="replace").strip()
            raise SenderError(status, words[-_LAST_WORDS:])
        return ledger.read(replies_path)


def _invitation(crew: Crew, port: int) -> str:
    workers = "1 worker" if crew.remote_workers == 1 else f"{crew.remote_workers} workers"
    # Of all addresses of this machine a worker is told the one that it reaches.
    host = "ADDRESS_OF_THIS_MACHINE" if crew.bind in {"0.0.0.0", "*", "::"} else crew.bind  # noqa: S104
    return f"Awaiting {workers}: python -m loadtest worker --master {host} --port {port}"


def sender_command(arguments: Sequence[str]) -> list[str]:
    """Returns the command of a process that sends."""
    return [sys.executable, "-m", "loadtest.traffic.sender", *arguments]


def _start(stack: ExitStack, arguments: Sequence[str], log: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(sender_command(arguments), stderr=log)
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
