"""What can keep a load test from giving figures, drawn as a tree.

```
ObstacleError
└── TrafficError
    ├── ScenarioFileError      the file of scenarios cannot be used
    ├── UnknownScenarioError   no scenario of that name
    ├── AddressError           an address on the command line is none
    ├── MissingGrpcTargetError a scenario sends gRPC, and nobody said where to
    ├── UnreachableStackError  workers elsewhere, and a service that only this machine reaches
    ├── CorpusFolderError      the folder of samples cannot be used
    ├── TargetError            the service under test cannot be asked for its schema
    ├── MasterError            a worker finds no master
    └── SenderError            a process that sends has ended without its replies
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.bench.errors import ObstacleError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class TrafficError(ObstacleError):
    """Base of all errors of load tests."""


class ScenarioFileError(TrafficError):
    """The file of scenarios cannot be used.

    Attributes:
        path: the file.
        field: what of it, in dots; empty: the whole.
        reason: what is wrong.
    """

    def __init__(self, path: Path, field: str, reason: str) -> None:
        where = f"{path}: {field}" if field else str(path)
        super().__init__(f"{where}: {reason}. loadtest/README.md has the table of keys.")
        self.path = path
        self.field = field
        self.reason = reason


class UnknownScenarioError(TrafficError):
    """No scenario of that name.

    Attributes:
        name: that was asked for.
        known: names that there are.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"There is no scenario {name}: name one of {', '.join(self.known)}.")


class AddressError(TrafficError):
    """An address on the command line is none.

    Attributes:
        option: that it was given for.
        value: what was given.
        wanted: what one looks like.
    """

    def __init__(self, option: str, value: str, wanted: str) -> None:
        super().__init__(f"{option}: {value!r} is no address: write {wanted}.")
        self.option = option
        self.value = value
        self.wanted = wanted


class MissingGrpcTargetError(TrafficError):
    """A scenario sends gRPC, and nobody said where to.

    Attributes:
        scenario: its name.
    """

    def __init__(self, scenario: str) -> None:
        super().__init__(
            f"{scenario} sends gRPC too: say where with --grpc-target host:port, or name a "
            "scenario without `grpc` among its protocols."
        )
        self.scenario = scenario


class UnreachableStackError(TrafficError):
    """Workers elsewhere are to send to a service that only this machine reaches.

    Attributes:
        bind: where the master would listen.
    """

    def __init__(self, bind: str) -> None:
        super().__init__(
            f"Workers that come to {bind} from elsewhere cannot reach a stack that is started "
            "here, on loopback: say with --url and --grpc-target where a service is."
        )
        self.bind = bind


class CorpusFolderError(TrafficError):
    """The folder of samples cannot be used.

    Attributes:
        folder: with `sample.json`.
        reason: what is wrong.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"{folder} holds no samples ({reason}): run `make export`, or name a folder of "
            "`sample.json` and images with --samples."
        )
        self.folder = folder
        self.reason = reason


class TargetError(TrafficError):
    """The service under test cannot be asked for its schema.

    Attributes:
        target: its address.
        reason: what happened.
    """

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(f"{target} does not say how it answers ({reason}): is it up and ready?")
        self.target = target
        self.reason = reason


class MasterError(TrafficError):
    """A worker finds no master.

    Attributes:
        place: `host:port` where it looked.
        reason: what happened.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"No master at {place} ({reason}): `loadtest run … --remote-workers` says where it "
            "listens; name that with --master and --port."
        )
        self.place = place
        self.reason = reason


class SenderError(TrafficError):
    """A process that sends has ended without its replies.

    Attributes:
        status: its exit status.
        last_words: the end of its log.
    """

    def __init__(self, status: int, last_words: str) -> None:
        super().__init__(f"Nothing can be sent: {last_words or f'the sender ended with {status}'}")
        self.status = status
        self.last_words = last_words
