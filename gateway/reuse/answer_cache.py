"""A cache of answers, bounded in bytes and in age: least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

ENTRY_BYTES: Final = 1536
"""What an entry takes beside its rows: key, objects, dictionaries; rounded up from 1.2 KB that
`tracemalloc` finds in an entry with three rows."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    value: T
    size_bytes: int
    until_s: float


class AnswerCache(Generic[T]):
    """Holds what was computed, by key. Belongs to one event loop.

    Args:
        max_bytes: of all entries together.
        ttl_s: an entry older than this is not given out, in seconds.
        clock: reads seconds, as `time.monotonic` does.
    """

    def __init__(self, *, max_bytes: int, ttl_s: float, clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()  # least recently used first
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """What all entries take, in bytes."""
        return self._size_bytes

    def get(self, key: Hashable) -> T | None:
        """Returns what was put under a key, unless it has gone since or is too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry.until_s:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Hashable, value: T, size_bytes: int) -> int:
        """Keeps a value.

        Args:
            key: names it; small, as its size is not counted.
            value: must not be changed any more.
            size_bytes: of the value alone. One that would fill the whole cache is not kept.

        Returns:
            How many others had to go for it.
        """
        entry = _Entry(value, size_bytes + ENTRY_BYTES, self._clock() + self._ttl_s)
        if entry.size_bytes > self._max_bytes:
            return 0
        if key in self._entries:
            self._drop(key)
        evicted = 0
        while self._size_bytes + entry.size_bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
            evicted += 1
        self._entries[key] = entry
        self._size_bytes += entry.size_bytes
        return evicted

    def _drop(self, key: Hashable) -> None:
        self._size_bytes -= self._entries.pop(key).size_bytes
