"""A process that does the work in-process when it is told to, and the jobs it can be given.

Each worker has its own interpreter and its own onnxruntime sessions, as a process of a server has.
`roofline` runs one or several of them side by side.
"""

from __future__ import annotations

import multiprocessing
import signal
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from loadtest.bench.errors import WorkerDiedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from types import TracebackType

    from loadtest.bench.corpus import Example
    from loadtest.bench.inference import InProcessVariant
    from loadtest.bench.variant import ServedVariant

_STOP_TIMEOUT_S = 5.0

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Job(Protocol[Result_co]):
    """Something to do with the models; it travels to the worker, its result back."""

    def run(self, model: InProcessVariant, corpus: Sequence[Example]) -> Result_co:
        """Does it."""


@dataclass(frozen=True)
class Throughput:
    """Works through the corpus for a while and returns how many requests a second that makes.

    Attributes:
        duration_s: how long.
        image_group: photos that go through the graph together.
        text_group: sentences that go through the graph together; neighbours are of like length.
        first: index of the example to begin with.
    """

    duration_s: float
    image_group: int
    text_group: int
    first: int

    def run(self, model: InProcessVariant, corpus: Sequence[Example]) -> float:
        """Does it."""
        examples = sorted(corpus, key=lambda example: example.tokens)
        batch = max(self.image_group, self.text_group)
        done = 0
        begun_s = now_s = time.perf_counter()
        while now_s - begun_s < self.duration_s:
            start = self.first + done
            taken = [examples[(start + index) % len(examples)] for index in range(batch)]
            images = model.encode_photos([each.photo for each in taken], self.image_group)
            texts = model.encode_sentences([each.sentence for each in taken], self.text_group)
            model.fuse(images, texts)
            done += batch
            now_s = time.perf_counter()
        return done / (now_s - begun_s)


@dataclass(frozen=True)
class Branches:
    """Medians of what each branch of the work takes for one request alone, in milliseconds.

    Attributes:
        image_ms: decode a photo and encode it.
        text_ms: tokenise a sentence and encode it.
    """

    image_ms: float
    text_ms: float

    @property
    def longer_ms(self) -> float:
        """What a server cannot go below when it runs both side by side."""
        return max(self.image_ms, self.text_ms)


@dataclass(frozen=True)
class TimeBranches:
    """Times both branches, one request at a time, in the order the clients send them.

    Attributes:
        duration_s: how long; the corpus is begun again when it is through.
    """

    duration_s: float

    def run(self, model: InProcessVariant, corpus: Sequence[Example]) -> Branches:
        """Does it."""
        image_s: list[float] = []
        text_s: list[float] = []
        begun_s = ended_s = time.perf_counter()
        while ended_s - begun_s < self.duration_s:
            example = corpus[len(image_s) % len(corpus)]
            started_s = time.perf_counter()
            model.encode_photos([example.photo])
            between_s = time.perf_counter()
            model.encode_sentences([example.sentence])
            ended_s = time.perf_counter()
            image_s.append(between_s - started_s)
            text_s.append(ended_s - between_s)
        return Branches(statistics.median(image_s) * 1e3, statistics.median(text_s) * 1e3)


@dataclass(frozen=True)
class Label:
    """Classifies the first examples, each by itself, and returns the labels.

    Attributes:
        count: how many; None for all.
    """

    count: int | None = None

    def run(self, model: InProcessVariant, corpus: Sequence[Example]) -> list[str]:
        """Does it."""
        return [
            model.labels[int(model.classify(example.photo, example.sentence).argmax())]
            for example in corpus[: self.count]
        ]


class Worker:
    """A worker process; `begin` and `result` come in pairs. It ends with the block or with us.

    Attributes:
        pid: its process id; 0 before entry.
    """

    def __init__(
        self, variant: ServedVariant, corpus: Sequence[Example], intra_op_threads: int
    ) -> None:
        """Prepares; the process starts on entry.

        Args:
            variant: whose work it does.
            corpus: the requests.
            intra_op_threads: threads that share one operator.
        """
        self.pid = 0
        # Not forked: the child of a process that has threads may inherit a lock that is held.
        context = multiprocessing.get_context("spawn")
        self._ours, self._theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self._theirs, variant, corpus, intra_op_threads), daemon=True
        )

    def __enter__(self) -> Self:
        """Starts the process; it opens its graphs in the background."""
        with _without_interrupts():
            self._process.start()
        self.pid = self._process.pid or 0
        self._theirs.close()  # the child's end is the child's alone: its death is then seen here
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the process."""
        self._ours.close()
        self._process.terminate()
        self._process.join(_STOP_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()

    def do(self, job: Job[Result]) -> Result:
        """Does a job and returns its result.

        Raises:
            WorkerDiedError: the process has ended.
        """
        self.begin(job)
        result: Result = self.result()
        return result

    def begin(self, job: Job[Any]) -> None:
        """Sends a job and returns at once.

        Raises:
            WorkerDiedError: the process has ended.
        """
        try:
            self._ours.send(job)
        except OSError as error:
            raise WorkerDiedError(self.pid) from error

    def result(self) -> Any:  # noqa: ANN401  # what the job that was begun returns
        """Waits for the job that was begun.

        Raises:
            WorkerDiedError: the process has ended.
        """
        try:
            return self._ours.recv()
        except (EOFError, OSError) as error:
            raise WorkerDiedError(self.pid) from error


def _serve(
    connection: Connection[Any, Any],
    variant: ServedVariant,
    corpus: Sequence[Example],
    intra_op_threads: int,
) -> None:
    from loadtest.bench.inference import InProcessVariant

    model = InProcessVariant(variant, intra_op_threads)
    while True:
        try:
            job: Job[Any] = connection.recv()
        except EOFError:
            return  # whoever gave the jobs is gone
        connection.send(job.run(model, corpus))


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Lets a child that starts in this block never see Ctrl-C.

    It goes to the whole terminal, and the parent decides when its children end. A blocked signal
    stays blocked across `exec`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
