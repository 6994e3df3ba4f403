"""Who computes, who waits, and who may leave: on real tasks of a real loop, without a server."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from gateway.admission.deadline import Deadline
from gateway.errors import BackendUnavailableError, DeadlineExceededError
from gateway.reuse.answer_cache import AnswerCache
from gateway.reuse.answers import ReusedAnswers, ReusePolicy
from gateway.reuse.equality import MAX_COMPARED_BYTES, Question, content_digest
from gateway.reuse.source import Source

pytestmark = pytest.mark.anyio


class CountingObserver:
    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.cache_bytes = 0

    def count_reuse(self, event: str, count: int = 1) -> None:
        self.events[event] += count

    def set_answer_cache_bytes(self, size_bytes: int) -> None:
        self.cache_bytes = size_bytes


class Backend:
    """Answers when it is released, or at once."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.error: Exception | None = None
        self.begun = 0
        self.cancelled = 0

    async def compute(self, left_s: float) -> str:
        self.begun += 1
        number = self.begun
        try:
            async with asyncio.timeout(left_s):
                await self.release.wait()
        except TimeoutError as error:
            raise DeadlineExceededError from error
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return f"answer {number}"


def make_answers(
    observer: CountingObserver | None = None,
    *,
    cache_bytes: int = 0,
    has_coalescing: bool = True,
    is_shared: bool = False,
) -> ReusedAnswers[str]:
    cache: AnswerCache[str] | None = None
    if cache_bytes:
        cache = AnswerCache(max_bytes=cache_bytes, ttl_s=60, clock=time.monotonic)
    policy = ReusePolicy(has_coalescing, is_shared)
    return ReusedAnswers(policy, cache, len, observer or CountingObserver())


def ask(
    answers: ReusedAnswers[str], backend: Backend, *, caller: str = "a", budget_s: float = 10.0
) -> asyncio.Task[tuple[str, Source]]:
    deadline = Deadline(time.perf_counter(), budget_s)

    async def answer() -> tuple[str, Source]:
        key = await answers.key(Question(caller, "model", "digest", {"TEXT": b"same"}))
        return await answers.answer(key, backend.compute, deadline, lambda: None)

    return asyncio.create_task(answer())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_answers_equal_questions_in_flight_are_computed_once() -> None:
    observer, backend = CountingObserver(), Backend()
    answers = make_answers(observer)
    tasks = [ask(answers, backend) for _ in range(5)]
    await settle()
    backend.release.set()
    given = [await task for task in tasks]
    assert backend.begun == 1
    assert given == [("answer 1", Source.COMPUTED)] + 4 * [("answer 1", Source.COALESCED)]
    assert observer.events == {"miss": 1, "joined": 4}
    # Without a cache what is answered is forgotten.
    assert await ask(answers, backend) == ("answer 2", Source.COMPUTED)


async def test_answers_another_caller_is_computed_apart_unless_allowed() -> None:
    apart, together = Backend(), Backend()
    strict, shared = make_answers(), make_answers(is_shared=True)
    tasks = [ask(strict, apart, caller=each) for each in "ab"]
    tasks += [ask(shared, together, caller=each) for each in "ab"]
    await settle()
    assert (apart.begun, together.begun) == (2, 1)
    apart.release.set()
    together.release.set()
    await asyncio.gather(*tasks)


async def test_answers_the_one_who_began_leaves_and_the_others_are_answered() -> None:
    answers, backend = make_answers(), Backend()
    first, second = ask(answers, backend), ask(answers, backend)
    await settle()
    first.cancel()
    await settle()
    assert backend.cancelled == 0
    third = ask(answers, backend)
    await settle()
    backend.release.set()
    assert (await second)[0] == (await third)[0] == "answer 1"
    assert first.cancelled()


async def test_answers_the_last_one_leaves_and_the_computation_is_cancelled() -> None:
    answers, backend = make_answers(), Backend()
    tasks = [ask(answers, backend) for _ in range(3)]
    await settle()
    for task in tasks:
        task.cancel()
    await settle()
    assert (backend.begun, backend.cancelled) == (1, 1)
    # Who comes then does not join what is being given up.
    late = ask(answers, backend)
    backend.release.set()
    assert await late == ("answer 2", Source.COMPUTED)


async def test_answers_who_joins_keeps_a_shorter_deadline_of_its_own() -> None:
    answers, backend = make_answers(), Backend()
    patient, hasty = ask(answers, backend), ask(answers, backend, budget_s=0.05)
    with pytest.raises(DeadlineExceededError):
        await hasty
    backend.release.set()
    assert (await patient)[0] == "answer 1"
    assert backend.cancelled == 0


async def test_answers_who_joins_outlives_the_shorter_deadline_of_the_first() -> None:
    observer, backend = CountingObserver(), Backend()
    answers = make_answers(observer)
    hasty = ask(answers, backend, budget_s=0.05)
    await settle()
    patient = [ask(answers, backend) for _ in range(3)]
    with pytest.raises(DeadlineExceededError):
        await hasty
    await settle()
    assert backend.begun == 2  # one of them began anew, the others joined it
    backend.release.set()
    assert {(await task)[0] for task in patient} == {"answer 2"}


async def test_answers_error_reaches_all_who_wait_and_is_not_kept() -> None:
    answers, backend = make_answers(cache_bytes=100_000), Backend()
    backend.error = BackendUnavailableError()
    backend.release.set()
    results = await asyncio.gather(
        *(ask(answers, backend) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in results] == 3 * [BackendUnavailableError]
    assert backend.begun == 1
    backend.error = None
    assert await ask(answers, backend) == ("answer 2", Source.COMPUTED)


@pytest.mark.parametrize("has_coalescing", [True, False])
async def test_answers_cache_gives_again_what_was_computed(has_coalescing: bool) -> None:
    observer, backend = CountingObserver(), Backend()
    answers = make_answers(observer, cache_bytes=100_000, has_coalescing=has_coalescing)
    backend.release.set()
    assert await ask(answers, backend) == ("answer 1", Source.COMPUTED)
    assert await ask(answers, backend) == ("answer 1", Source.CACHED)
    assert await ask(answers, backend, caller="b") == ("answer 2", Source.COMPUTED)
    assert observer.events == {"miss": 2, "hit": 1}
    assert observer.cache_bytes > 0


async def test_answers_kept_for_those_who_come_after_all_who_waited_were_answered() -> None:
    answers, backend = make_answers(cache_bytes=100_000), Backend()
    first, second = ask(answers, backend), ask(answers, backend)
    await settle()
    first.cancel()
    backend.release.set()
    assert (await second)[1] is Source.COALESCED
    assert (await ask(answers, backend))[1] is Source.CACHED


async def test_answers_time_already_spent_computes_nothing() -> None:
    answers, backend = make_answers(), Backend()
    with pytest.raises(DeadlineExceededError):
        await ask(answers, backend, budget_s=0.0)
    assert backend.begun == 0


async def test_answers_digest_stands_for_what_is_large_or_kept() -> None:
    small = Question("a", "model", "digest", {"IMAGE": b"same"})
    large = Question("a", "model", "digest", {"IMAGE": bytes(MAX_COMPARED_BYTES + 1)})
    in_flight, kept = make_answers(), make_answers(cache_bytes=10_000)
    assert await in_flight.key(small) is small
    assert await in_flight.key(large) == await content_digest(large)
    assert await kept.key(small) == await content_digest(small)


async def test_answers_neither_kind_of_reuse_hashes_nothing() -> None:
    answers = make_answers(has_coalescing=False)
    # Content that cannot be hashed: it must not be touched.
    question: Any = Question("a", "model", "digest", {"TEXT": object()})  # type: ignore[dict-item]
    assert await answers.key(question) is None
