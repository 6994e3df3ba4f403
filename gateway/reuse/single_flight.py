"""Single flight: whoever asks what is being computed already waits for that computation.

The computation belongs to all who wait for it and to none of them: it is a task of its own, which
goes on when the one who started it leaves, and is cancelled when the last one does. The name is
that of Go's `golang.org/x/sync/singleflight`, which has no such end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Flight(Generic[T]):
    """One computation and who waits for it."""

    waiting: list[asyncio.Future[T]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class SingleFlight(Generic[T]):
    """The computations that are in flight, by key. Belongs to one event loop."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, Flight[T]] = {}
        self._flights: set[Flight[T]] = set()  # the event loop itself keeps no task alive

    def find(self, key: Hashable) -> Flight[T] | None:
        """Returns the computation of a key that can be joined, or None."""
        return self._by_key.get(key)

    def begin(
        self, key: Hashable, compute: Callable[[], Coroutine[object, object, T]]
    ) -> Flight[T]:
        """Starts the computation of a key that has none; `wait` must follow at once."""
        flight: Flight[T] = Flight()
        self._by_key[key] = flight
        self._flights.add(flight)
        flight.task = asyncio.get_running_loop().create_task(self._fly(key, flight, compute))
        return flight

    async def wait(self, key: Hashable, flight: Flight[T]) -> T:
        """Waits for a computation; raises what it raised.

        When the one who waits is cancelled and is the last, so is the computation.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        flight.waiting.append(answer)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled():
                answer.exception()  # it came too late to be heard, which is nothing to log
            raise
        finally:
            flight.waiting.remove(answer)
            if not flight.waiting and flight.task is not None and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    async def _fly(
        self,
        key: Hashable,
        flight: Flight[T],
        compute: Callable[[], Coroutine[object, object, T]],
    ) -> None:
        """Computes, and wakes who waits; who is woken finds the key free."""
        error: Exception | None = None
        try:
            answer = await compute()
        except Exception as failure:  # noqa: BLE001 - it is everybody's who waits
            error = failure
        except asyncio.CancelledError:  # not by one who waits: by the end of the process
            for each in flight.waiting:
                each.cancel()
            raise
        finally:
            self._flights.discard(flight)
            self._forget(key, flight)
        for each in flight.waiting:
            if each.done():
                continue
            if error is not None:
                each.set_exception(error)
            else:
                each.set_result(answer)

    def _forget(self, key: Hashable, flight: Flight[T]) -> None:
        if self._by_key.get(key) is flight:
            del self._by_key[key]
