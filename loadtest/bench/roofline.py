"""The roofline: what this machine can do with the same work when no server is in the way.

Several layouts of processes, threads and batches are tried in a short calibration; the best one is
what the service is compared with.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from loadtest.bench.worker import Branches, Label, Throughput, TimeBranches, Worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from loadtest.bench.corpus import Example
    from loadtest.bench.variant import ServedVariant

_WARM_UP_REQUESTS: Final = 4


@dataclass(frozen=True)
class Layout:
    """How the work is laid out over the machine.

    Attributes:
        processes: workers side by side.
        threads: onnxruntime threads of each.
        image_group: photos that go through the graph together.
        text_group: sentences of like length that go through the graph together.
    """

    processes: int
    threads: int
    image_group: int
    text_group: int

    def __str__(self) -> str:
        return (
            f"{self.processes} x {self.threads} thread{'s' if self.threads > 1 else ''}, "
            f"images by {self.image_group}, texts by {self.text_group}"
        )


def layouts(cores: int) -> tuple[Layout, ...]:
    """Returns those worth trying: a process a core or one process on all, small batches."""
    shapes = dict.fromkeys(((cores, 1), (1, cores)))  # on one core they are the same
    groups = ((1, 1), (1, 4), (4, 4))
    return tuple(Layout(*shape, *group) for shape in shapes for group in groups)


class Roofline:
    """Workers of one shape. Their graphs stay open from entry to exit; idle, they cost no CPU."""

    def __init__(
        self,
        variant: ServedVariant,
        corpus: Sequence[Example],
        processes: int,
        threads: int,
    ) -> None:
        """Prepares; the processes start on entry.

        Args:
            variant: whose work is done.
            corpus: the requests.
            processes: workers side by side.
            threads: onnxruntime threads of each.
        """
        self._corpus = corpus
        self._workers: list[Worker] = [Worker(variant, corpus, threads) for _ in range(processes)]
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Starts the processes and lets each do a little of the work, which warms it up."""
        with ExitStack() as starting:
            for worker in self._workers:
                starting.enter_context(worker)
            for worker in self._workers:
                worker.begin(Label(_WARM_UP_REQUESTS))
            for worker in self._workers:
                worker.result()
            self._open = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the processes."""
        self._open.close()

    def throughput_rps(self, layout: Layout, duration_s: float) -> float:
        """Runs all workers at once and returns their requests a second together."""
        share = len(self._corpus) // len(self._workers)
        for index, worker in enumerate(self._workers):
            worker.begin(
                Throughput(duration_s, layout.image_group, layout.text_group, first=index * share)
            )
        rates: list[float] = [worker.result() for worker in self._workers]
        return sum(rates)

    def branches(self, duration_s: float) -> Branches:
        """Times the two branches of one request in one worker, the others idle."""
        return self._workers[0].do(TimeBranches(duration_s))

    def labels(self) -> list[str]:
        """Labels all requests, each by itself, in one worker."""
        return self._workers[0].do(Label())
