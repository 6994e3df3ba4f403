"""What can go wrong on the local machine, drawn as a tree.

```
LocalError
├── SettingsError           a setting is unknown or its value not acceptable
├── PreflightError          this machine cannot run it: every reason, each with its remedy
├── TritonRuntimeError      the bundled Triton is missing or cannot load this Python
├── RepositoryError         the model repository holds nothing that can be served
├── AlreadyRunningError     this workspace already has a launcher
├── SampleError             the sample was refused or could not be sent
└── ServiceError            one of the supervised processes
    ├── ServiceExitedError      it ended before it was ready
    └── ServiceNotReadyError    it runs, and is not ready in time
```

Each message is one sentence with the remedy, fit to be shown as it is. This module imports the
standard library alone, as `triton_server` does, which the exporters use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class LocalError(Exception):
    """Base of all errors of `deploy.local`."""


class SettingsError(LocalError):
    """A setting is unknown or its value not acceptable.

    Attributes:
        faults: one sentence each.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class PreflightError(LocalError):
    """This machine cannot run it.

    Attributes:
        findings: one sentence each: what is wrong, and the remedy.
    """

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)


class TritonRuntimeError(LocalError):
    """The bundled Triton is missing or cannot load this Python.

    Attributes:
        reason: what is wrong, without a full stop.
        remedy: what to do, as an imperative without a full stop.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}: {remedy}.")
        self.reason = reason
        self.remedy = remedy


class RepositoryError(LocalError):
    """The model repository holds nothing that can be served.

    Attributes:
        folder: the model repository.
        reason: what is wrong with it, without a full stop.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"Model repository {folder}: {reason}; `make export` fills it.")
        self.folder = folder
        self.reason = reason


class AlreadyRunningError(LocalError):
    """This workspace already has a launcher.

    Attributes:
        pid: its process id, or None when its state was not written yet.
    """

    def __init__(self, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"Already running here as {who}: `make status` shows it, `make stop` stops it."
        )
        self.pid = pid


class SampleError(LocalError):
    """The sample was refused or could not be sent.

    Attributes:
        url: where it was sent.
        reason: the gateway's or the connection's own words.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"The sample sent to {url} was not answered: {reason}.")
        self.url = url
        self.reason = reason


class ServiceError(LocalError):
    """One of the supervised processes failed.

    Attributes:
        service: its name: `triton` or `gateway`.
        log_path: the file with all it printed.
    """

    def __init__(self, message: str, service: str, log_path: Path) -> None:
        super().__init__(message)
        self.service = service
        self.log_path = log_path


class ServiceExitedError(ServiceError):
    """A process ended before it was ready.

    Attributes:
        exit_code: its exit status; negative: the signal that ended it.
        last_lines: the end of its log.
    """

    def __init__(
        self, service: str, exit_code: int, log_path: Path, last_lines: Sequence[str]
    ) -> None:
        ending = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        super().__init__(
            f"{service} ended with {ending} before it was ready; see {log_path}.", service, log_path
        )
        self.exit_code = exit_code
        self.last_lines = tuple(last_lines)


class ServiceNotReadyError(ServiceError):
    """A process runs, and is not ready in time.

    Attributes:
        waited_s: how long it was waited for, in seconds.
    """

    def __init__(self, service: str, waited_s: float, log_path: Path) -> None:
        super().__init__(
            f"{service} is not ready after {waited_s:.0f} s; see {log_path}.", service, log_path
        )
        self.waited_s = waited_s
