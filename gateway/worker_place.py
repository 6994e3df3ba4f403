"""What a worker is told by its parent about the pod that it is part of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """One worker's place.

    Attributes:
        index: its number, from 0.
        workers: how many share the ports, the limits and one Triton.
        http_port: reserved by the parent.
        grpc_port: reserved by the parent.
        metrics_folder: where the metrics of all workers meet.
    """

    index: int
    workers: int
    http_port: int
    grpc_port: int
    metrics_folder: Path

    def to_arguments(self) -> list[str]:
        """Returns it as arguments of a command line."""
        return [str(value) for value in asdict(self).values()]

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Self:
        """Reads what `to_arguments` made."""
        *numbers, folder = arguments
        index, workers, http_port, grpc_port = map(int, numbers)
        return cls(index, workers, http_port, grpc_port, Path(folder))
