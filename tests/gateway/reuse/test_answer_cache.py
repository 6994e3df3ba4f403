from __future__ import annotations

import tracemalloc

import numpy as np

from gateway.reuse.answer_cache import ENTRY_BYTES, AnswerCache


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def make_cache(entries: int, clock: Clock | None = None) -> AnswerCache[str]:
    size_bytes = entries * (ENTRY_BYTES + 100)
    return AnswerCache(max_bytes=size_bytes, ttl_s=10.0, clock=clock or Clock())


def test_answer_cache_full_lets_the_least_recently_used_go() -> None:
    cache = make_cache(entries=2)
    assert cache.put(b"a", "A", 100) == 0
    assert cache.put(b"b", "B", 100) == 0
    assert cache.get(b"a") == "A"
    assert cache.put(b"c", "C", 100) == 1
    assert [cache.get(key) for key in (b"a", b"b", b"c")] == ["A", None, "C"]


def test_answer_cache_one_large_entry_takes_the_place_of_several() -> None:
    cache = make_cache(entries=3)
    for key in (b"a", b"b", b"c"):
        cache.put(key, "x", 100)
    assert cache.put(b"d", "y", ENTRY_BYTES + 200) == 2
    assert cache.size_bytes <= 3 * (ENTRY_BYTES + 100)
    assert cache.get(b"c") == "x"


def test_answer_cache_entry_above_its_bound_is_not_kept_and_evicts_nothing() -> None:
    cache = make_cache(entries=1)
    cache.put(b"a", "A", 100)
    assert cache.put(b"b", "B", 10_000) == 0
    assert cache.get(b"a") == "A"
    assert cache.get(b"b") is None


def test_answer_cache_old_entry_is_not_given_and_frees_its_bytes() -> None:
    clock = Clock()
    cache = make_cache(entries=2, clock=clock)
    cache.put(b"a", "A", 100)
    clock.now_s = 9.9
    assert cache.get(b"a") == "A"
    clock.now_s = 10.0
    assert cache.get(b"a") is None
    assert cache.size_bytes == 0


def test_answer_cache_same_key_again_counts_once_and_is_young_again() -> None:
    clock = Clock()
    cache = make_cache(entries=2, clock=clock)
    cache.put(b"a", "old", 100)
    clock.now_s = 6.0
    cache.put(b"a", "new", 100)
    clock.now_s = 12.0
    assert cache.get(b"a") == "new"
    assert cache.size_bytes == ENTRY_BYTES + 100


def test_answer_cache_takes_no_more_memory_than_its_bound() -> None:
    max_bytes = 4 * 1024 * 1024
    cache: AnswerCache[dict[str, np.ndarray]] = AnswerCache(  # type: ignore[type-arg]
        max_bytes=max_bytes, ttl_s=10.0, clock=Clock()
    )
    tracemalloc.start()
    try:
        begin_bytes = tracemalloc.get_traced_memory()[0]
        evicted = 0
        for number in range(6_000):
            rows = {
                name: np.frombuffer(bytes(4 * length), "<f4")
                for name, length in (("LOGITS", 50), ("IMAGE_TRACE", 3), ("TEXT_TRACE", 3))
            }
            key = number.to_bytes(32, "little")
            evicted += cache.put(key, rows, sum(each.nbytes for each in rows.values()))
        taken_bytes = tracemalloc.get_traced_memory()[0] - begin_bytes
    finally:
        tracemalloc.stop()
    assert evicted > 0
    assert taken_bytes <= max_bytes
