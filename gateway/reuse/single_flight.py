"""Single flight: whoever asks what is being computed already waits for that computation.

The computation belongs to all who wait for it and to none of them: it is a task of its own, which
goes on when the one who started it leaves, and is cancelled when the last one does. The name is
that of Go's `golang.org/x/sync/singleflight`, which has no such end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Flight(Generic[T]):
    """One computation and how many wait for it."""

    task: asyncio.Task[T]
    waiting: int = 0


class SingleFlight(Generic[T]):
    """The computations that are in flight, by key. Belongs to one event loop."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()  # the event loop itself keeps no task alive

    def find(self, key: Hashable) -> Flight[T] | None:
        """Returns the computation of a key that can be joined, or None."""
        return self._by_key.get(key)

    def begin(
        self, key: Hashable, compute: Callable[[], Coroutine[object, object, T]]
    ) -> Flight[T]:
        """Starts the computation of a key that has none; `wait` must follow at once."""
        flight = Flight(asyncio.get_running_loop().create_task(compute()))
        self._by_key[key] = flight
        self._tasks.add(flight.task)

        def end(task: asyncio.Task[T]) -> None:
            self._tasks.discard(task)
            self._forget(key, flight)

        # Added first, so called first: who is woken by its end finds the key free.
        flight.task.add_done_callback(end)
        return flight

    async def wait(self, key: Hashable, flight: Flight[T]) -> T:
        """Waits for a computation; raises what it raised.

        When the one who waits is cancelled and is the last, so is the computation.
        """
        flight.waiting += 1
        try:
            if not flight.task.done():
                await _ended(flight.task)
            return flight.task.result()
        finally:
            flight.waiting -= 1
            if flight.waiting == 0 and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    def _forget(self, key: Hashable, flight: Flight[T]) -> None:
        if self._by_key.get(key) is flight:
            del self._by_key[key]


async def _ended(task: asyncio.Task[T]) -> None:
    """Waits for the end of a task, which the one who waits does not cancel; `shield` with less."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(_task: asyncio.Task[T]) -> None:
        if not future.done():
            future.set_result(None)

    task.add_done_callback(wake)
    try:
        await future
    finally:
        task.remove_done_callback(wake)
