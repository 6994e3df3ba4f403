"""Other servers that are measured beside the service, as processes of this machine."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from deploy.local.service import Endpoint, Launch, Service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadtest.bench.variant import ServedVariant

_HOST: Final = "127.0.0.1"


@dataclass(kw_only=True)
class PeerServer(Service):
    """A module of this package that serves one variant on loopback, at `/healthz` when ready.

    Attributes:
        module: that `python -m` runs.
        repository: the model repository.
        variant: that it serves.
        port: where it listens.
    """

    module: ClassVar[str]

    repository: Path
    variant: ServedVariant
    port: int

    @abstractmethod
    def own_options(self) -> Sequence[str]:
        """Returns what else stands on its command line."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return _HOST, self.port

    @property
    def endpoint(self) -> Endpoint:
        """Ready when it answers."""
        return Endpoint({"HTTP": self.port}, _HOST, self.port, "/healthz")

    def launch(self) -> Launch:
        """Hands everything over on the command line."""
        command = (
            sys.executable,
            "-m",
            self.module,
            f"--model-repository={self.repository}",
            f"--variant={self.variant.name}@{self.variant.digest}",
            f"--port={self.port}",
            *self.own_options(),
        )
        return Launch(command, os.environ)


@dataclass(frozen=True)
class BaselineSettings:
    """The two knobs of the baseline.

    Attributes:
        intra_op_threads: onnxruntime threads of one operator.
        pool_threads: requests that are worked on at the same time.
    """

    intra_op_threads: int
    pool_threads: int

    def __str__(self) -> str:
        return f"{self.pool_threads} at a time, {self.intra_op_threads} onnxruntime threads each"


def baseline_candidates(cores: int) -> tuple[BaselineSettings, ...]:
    """Returns those worth trying, FastAPI's own 40 threads among them."""
    return (
        BaselineSettings(intra_op_threads=1, pool_threads=cores),
        BaselineSettings(intra_op_threads=cores, pool_threads=1),
        BaselineSettings(intra_op_threads=1, pool_threads=40),
    )


@dataclass(kw_only=True)
class BaselineServer(PeerServer):
    """The same models in one process, without a server of models.

    Attributes:
        settings: its knobs.
    """

    name: ClassVar[str] = "baseline"
    module: ClassVar[str] = "loadtest.bench.baseline"

    settings: BaselineSettings

    def own_options(self) -> Sequence[str]:
        """Returns the knobs."""
        return (
            f"--intra-op-threads={self.settings.intra_op_threads}",
            f"--pool-threads={self.settings.pool_threads}",
        )
