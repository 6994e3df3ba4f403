"""What can keep the bench from giving figures, drawn as a tree.

```
BenchError
├── ObstacleError           something is missing that others than the bench must mend
├── OutputError             the figures cannot be written where they should go
├── CorpusError             the photos or sentences cannot be made
├── UnsupportedVariantError the variant is not built of the steps whose work the bench knows
├── ServerUnreachableError  a server under load does not accept connections any more
├── RefusedError            a server answers wrongly before there is any load
├── WorkerDiedError         a process that does the work in-process has ended
└── AnswersDifferError      two that are measured do not give the same answers
```

Each message is one sentence or two and says what to do next. A wrong or refused answer under load
is no error here: it is counted in its window and fails the run at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class BenchError(Exception):
    """Base of all errors of the bench."""


class ObstacleError(BenchError):
    """Nothing was measured, because something is missing that the message names."""


class OutputError(BenchError):
    """The figures cannot be written.

    Attributes:
        path: where they should go.
        reason: the system's words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Cannot write {path} ({reason}): name another file with --output.")
        self.path = path
        self.reason = reason


class CorpusError(BenchError):
    """The photos or sentences cannot be made.

    Attributes:
        reason: what is missing, without a full stop.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The bench cannot make its requests: {reason}.")
        self.reason = reason


class UnsupportedVariantError(BenchError):
    """The variant is not built of the steps whose work the bench knows.

    Attributes:
        ensemble: its Triton model name.
        missing_steps: names of the steps that were not found.
    """

    def __init__(self, ensemble: str, missing_steps: Sequence[str]) -> None:
        super().__init__(
            f"Ensemble {ensemble} has no step {', '.join(missing_steps)}, whose work is measured "
            "without a server: export it for the target `embedded`."
        )
        self.ensemble = ensemble
        self.missing_steps = tuple(missing_steps)


class ServerUnreachableError(BenchError):
    """A server under load does not accept connections any more.

    Attributes:
        address: host and port.
        reason: the system's words.
    """

    def __init__(self, address: tuple[str, int], reason: str) -> None:
        super().__init__(
            f"{address[0]}:{address[1]} accepts no connection ({reason}): see the logs beside the "
            "figures."
        )
        self.address = address
        self.reason = reason


class RefusedError(BenchError):
    """A server answers wrongly, or not at all, before there is any load.

    Attributes:
        contestant: who.
        failures: what came instead of a right answer.
    """

    def __init__(self, contestant: str, failures: Sequence[str]) -> None:
        super().__init__(
            f"{contestant} does not answer: {failures[0]}. See the logs beside the figures."
        )
        self.contestant = contestant
        self.failures = tuple(failures)


class WorkerDiedError(BenchError):
    """A process that does the work in-process has ended.

    Attributes:
        pid: its process id.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(f"In-process worker {pid} has ended: its own words stand above.")
        self.pid = pid


class AnswersDifferError(BenchError):
    """Two that are measured do not give the same answers, so their speed cannot be compared.

    Attributes:
        contestant: who differs from the in-process answers.
        different: how many answers differ.
        total: of how many.
    """

    def __init__(self, contestant: str, different: int, total: int) -> None:
        super().__init__(
            f"{contestant} labels {different} of {total} requests otherwise than the same graphs "
            "in-process: run `make export`, whose parity proof says which is right."
        )
        self.contestant = contestant
        self.different = different
        self.total = total


class NoProfileError(BenchError):
    """The gateway did not say where its CPU time went.

    Attributes:
        path: where it should have.
    """

    def __init__(self, path: Path, log_path: Path) -> None:
        super().__init__(f"The sampled gateway left no {path.name}: see {log_path}.")
        self.path = path
