"""Answers a question from the cache, by a computation that is in flight, or by one of its own.

The classifier asks; what it computes is opaque here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from gateway.errors import DeadlineExceededError
from gateway.reuse.equality import MAX_COMPARED_BYTES, content_digest
from gateway.reuse.single_flight import SingleFlight
from gateway.reuse.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from gateway.admission.deadline import Deadline
    from gateway.reuse.answer_cache import AnswerCache
    from gateway.reuse.equality import Question
    from gateway.reuse.single_flight import Flight

T = TypeVar("T")

HIT: Final = "hit"
MISS: Final = "miss"
JOINED: Final = "joined"
EVICTED: Final = "evicted"


class ReuseObserver(Protocol):
    """Where reuse is counted; `telemetry.metrics.Metrics` is one."""

    def count_reuse(self, event: str, count: int = 1) -> None:
        """Counts questions by what became of them, and entries that had to go."""

    def set_answer_cache_bytes(self, size_bytes: int) -> None:
        """Shows how full the cache is."""


@dataclass(frozen=True, slots=True)
class ReusePolicy:
    """What may be reused, and by whom.

    Attributes:
        has_coalescing: whether equal questions in flight are answered by one computation.
        is_shared: whether the answer of one caller may be given to another.
    """

    has_coalescing: bool
    is_shared: bool


class ReusedAnswers(Generic[T]):
    """Finds an answer or has it computed. Belongs to one event loop.

    Args:
        policy: what may be reused.
        cache: of what was computed; None: nothing is kept.
        size_of: size of an answer in bytes.
        observer: is shown the counts.
    """

    def __init__(
        self,
        policy: ReusePolicy,
        cache: AnswerCache[T] | None,
        size_of: Callable[[T], int],
        observer: ReuseObserver,
    ) -> None:
        self._policy = policy
        self._cache = cache
        self._size_of = size_of
        self._observer = observer
        self._flights: SingleFlight[T] = SingleFlight()

    async def key(self, question: Question) -> Hashable | None:
        """Returns what `answer` finds equal questions by; None when nothing is ever reused.

        While a question is in flight its inputs are there to be compared. One that is kept longer,
        or is large, is known by their digest.
        """
        if not self._policy.has_coalescing and self._cache is None:
            return None
        if self._policy.is_shared:
            question = dataclasses.replace(question, caller="")
        if self._cache is None and question.size_bytes <= MAX_COMPARED_BYTES:
            return question
        return await content_digest(question)

    async def answer(
        self,
        key: Hashable | None,
        compute: Callable[[float], Coroutine[object, object, T]],
        deadline: Deadline,
        on_reused: Callable[[], None],
    ) -> tuple[T, Source]:
        """Answers one question.

        A computation runs under the deadline of the request that began it. When that passes, those
        who joined it and have time left begin another: nobody's deadline cuts another's short.
        An error is everybody's who waits, and is not kept.

        Args:
            key: of the question.
            compute: begins the computation, given the time left for it in seconds.
            deadline: of this request.
            on_reused: called as soon as it is known that the answer costs no work of its own.

        Returns:
            The answer and where it came from.

        Raises:
            DeadlineExceededError: the time of this request is spent.
        """
        while True:
            left_s = deadline.left_s(time.perf_counter())
            if left_s <= 0:
                raise DeadlineExceededError
            if key is None:
                return await compute(left_s), Source.COMPUTED
            if self._cache is not None and (kept := self._cache.get(key)) is not None:
                self._observer.count_reuse(HIT)
                on_reused()
                return kept, Source.CACHED
            if not self._policy.has_coalescing:
                self._observer.count_reuse(MISS)
                return self._keep(key, await compute(left_s)), Source.COMPUTED
            if (flight := self._flights.find(key)) is None:
                return await self._begin(key, compute, left_s), Source.COMPUTED
            self._observer.count_reuse(JOINED)
            on_reused()
            try:
                return await self._join(key, flight, left_s), Source.COALESCED
            except DeadlineExceededError:
                continue  # the computation's time was spent; ours may not be

    async def _begin(
        self,
        key: Hashable,
        compute: Callable[[float], Coroutine[object, object, T]],
        left_s: float,
    ) -> T:
        async def compute_and_keep() -> T:
            return self._keep(key, await compute(left_s))

        self._observer.count_reuse(MISS)
        return await self._flights.wait(key, self._flights.begin(key, compute_and_keep))

    async def _join(self, key: Hashable, flight: Flight[T], left_s: float) -> T:
        try:
            async with asyncio.timeout(left_s):
                return await self._flights.wait(key, flight)
        except TimeoutError as error:
            raise DeadlineExceededError from error

    def _keep(self, key: Hashable, answer: T) -> T:
        if self._cache is not None:
            if evicted := self._cache.put(key, answer, self._size_of(answer)):
                self._observer.count_reuse(EVICTED, evicted)
            self._observer.set_answer_cache_bytes(self._cache.size_bytes)
        return answer
