"""What the launcher starts, watches and stops: a process that says when it is ready.

`triton_server` and `gateway_server` are the two there are; `supervisor` restarts them. Imports the
standard library alone.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from deploy.local.errors import ServiceExitedError, ServiceNotReadyError
from deploy.local.probe import is_answering
from deploy.local.process import TetheredProcess, last_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

_POLL_S = 0.05


@dataclass(frozen=True)
class Launch:
    """What to execute, and with which whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Endpoint:
    """Where a service listens, and where it tells that it is ready.

    Attributes:
        ports: what is spoken, to the port that speaks it.
        host: an address at which this machine reaches them.
        ready_port: one of `ports`, that of an HTTP API.
        ready_path: answered 200 when the service can do its work.
    """

    ports: dict[str, int]
    host: str
    ready_port: int
    ready_path: str

    def is_ready(self) -> bool:
        """Asks. Takes at most one second."""
        return is_answering(self.host, self.ready_port, self.ready_path)


@dataclass(kw_only=True)
class Service(ABC):
    """A process that can be started again and again.

    As a context manager it starts on entry, waits until ready, and stops on exit.

    Attributes:
        name: what people call it.
        log_path: all that it prints is appended here.
        ready_timeout_s: how long a context manager waits on entry.
        stop_grace_s: how long it may take to end when asked to, before it is killed.
    """

    name: ClassVar[str]

    log_path: Path
    ready_timeout_s: float = 60.0
    stop_grace_s: float = 15.0
    _process: TetheredProcess | None = field(default=None, init=False, repr=False)

    @abstractmethod
    def launch(self) -> Launch:
        """Says what to execute; asked at every start."""

    @property
    @abstractmethod
    def endpoint(self) -> Endpoint:
        """Where it listens."""

    @property
    def pid(self) -> int | None:
        """Its process id, and its process group's; None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it and returns at once; what is left of an earlier start is stopped first."""
        self.stop()
        launch = self.launch()
        self._process = TetheredProcess(launch.command, launch.environment, self.log_path)

    def exit_code(self) -> int | None:
        """None while it runs or before it was started; then its exit status."""
        return self._process.exit_code() if self._process else None

    def wait_ready(self, timeout_s: float) -> None:
        """Waits until it is ready.

        Args:
            timeout_s: how long to wait at most, in seconds.

        Raises:
            ServiceExitedError: it ended instead.
            ServiceNotReadyError: the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while not self.endpoint.is_ready():
            self.raise_if_ended()
            if time.monotonic() >= deadline:
                raise ServiceNotReadyError(self.name, timeout_s, self.log_path)
            time.sleep(_POLL_S)

    def raise_if_ended(self) -> None:
        """Raises `ServiceExitedError`, with the end of the log, when it does not run any more."""
        exit_code = self.exit_code()
        if exit_code is not None:
            raise ServiceExitedError(self.name, exit_code, self.log_path, last_lines(self.log_path))

    def stop(self) -> None:
        """Stops it and every process it started; harmless when it does not run."""
        if self._process is not None:
            self._process.stop(self.stop_grace_s)

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready(self.ready_timeout_s)
        except BaseException:  # whatever ends the wait, Ctrl-C included, must not leave a process
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
