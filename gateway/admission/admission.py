"""Decides at arrival whether a request is let in, and learns from those that were.

Three questions, cheapest first: is there a place under the adaptive limit (`limit`), does the
caller's class or share leave it to this request (`shares`), and would the answer come within the
deadline (`forecast`). REST asks before the body is read; gRPC before the call is worked on.
"""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol, Self

from gateway.admission.arrival import Arrival, Priority, Reason
from gateway.admission.deadline import Deadline
from gateway.admission.forecast import Forecast, WorkKind
from gateway.admission.limit import GradientLimit
from gateway.admission.shares import ClientShares
from gateway.errors import AdmissionRefusedError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from gateway.placement import Placement

_BATCH_RATIO: Final = 0.5
_MARGIN: Final = 1.25  # what is ahead may take a quarter longer than it did of late
_MIN_RETRY_S: Final = 0.05
_MAX_RETRY_S: Final = 30.0


class AdmissionObserver(Protocol):
    """Where admission shows what it does; `telemetry.metrics.Metrics` is one."""

    def set_in_flight(self, count: int) -> None:
        """Shows how many requests are inside."""

    def set_concurrency_limit(self, limit: int) -> None:
        """Shows how many may be."""

    def count_refusal(self, reason: str, priority: str) -> None:
        """Counts one that was refused."""


class Admission:
    """The gate of one process, within one event loop.

    Args:
        budget_s: the service's own deadline, in seconds.
        max_concurrency: bound of the adaptive limit, of all processes together.
        clock: reads seconds, as `time.perf_counter` does.
        observer: is shown the counts.
        processes: that serve side by side before one backend. Each has a limit of its own, which
            begins at its part of the first guess, and then follows what it sees of the backend.
    """

    def __init__(
        self,
        *,
        budget_s: float,
        max_concurrency: int,
        clock: Callable[[], float],
        observer: AdmissionObserver,
        processes: int = 1,
    ) -> None:
        self._budget_s = budget_s
        self._clock = clock
        self._observer = observer
        self._limit = GradientLimit(budget_s, max_concurrency, processes)
        self._forecast = Forecast(budget_s)
        self._shares = ClientShares()
        self._count = 0
        observer.set_concurrency_limit(self._limit.limit)

    @property
    def count(self) -> int:
        """Requests inside now."""
        return self._count

    @property
    def limit(self) -> int:
        """Most requests inside at this moment."""
        return self._limit.limit

    def deadline(self, arrived_s: float) -> Deadline:
        """Returns the service's own deadline of a request that arrived at `arrived_s`."""
        return Deadline(arrived_s, self._budget_s)

    def admit(self, arrival: Arrival, kind: WorkKind | None = None) -> Ticket:
        """Lets a request in, or refuses it.

        Args:
            arrival: the request.
            kind: its kind of work, where that is known already.

        Returns:
            What it holds while it is inside; to be used as a context manager.

        Raises:
            AdmissionRefusedError: there is no place, or the answer could not come in time.
        """
        now_s = self._clock()
        self._limit.note_in_flight(self._count + 1)
        work_s = self._forecast.work_s(kind)
        finish_s = self._forecast.finish_s(work_s, now_s)
        held_s = min(self._budget_s, finish_s)
        self._shares.note_arrival(
            arrival.client, self._limit.limit, held_s, now_s, weight=arrival.weight
        )
        reason = self._reason_against(arrival, finish_s, now_s)
        if reason is not None:
            raise self._refuse(reason, arrival, now_s)
        self._forecast.enter(work_s)
        self._move(1, arrival.client)
        return Ticket(self, arrival, work_s, now_s)

    def _reason_against(self, arrival: Arrival, finish_s: float, now_s: float) -> Reason | None:
        limit = self._limit.limit
        # What others hold above their equal parts is not held against one who is below its own;
        # and what is answered from one input, a part of the work, may use a margin above the limit.
        is_entitled = self._shares.is_entitled(arrival.client)
        held = self._count - (self._shares.overdraft if is_entitled else 0.0)
        if held >= (_MARGIN * limit if arrival.is_reduced else limit):
            return Reason.CONCURRENCY
        if arrival.priority is Priority.BATCH and self._count >= max(1, int(_BATCH_RATIO * limit)):
            return Reason.PRIORITY
        if not self._shares.has_room(arrival.client, _MARGIN if arrival.is_reduced else 1.0):
            return Reason.SHARE
        # Alone, a request has no queue before it whose time could be misjudged.
        margin = 1.0 if is_entitled or self._count == 0 else _MARGIN
        if margin * finish_s > arrival.deadline.left_s(now_s):
            return Reason.DEADLINE
        return None

    def _refuse(self, reason: Reason, arrival: Arrival, now_s: float) -> AdmissionRefusedError:
        self._observer.count_refusal(reason, arrival.priority)
        backlog_s = self._forecast.backlog_s(now_s)
        retry_s = min(_MAX_RETRY_S, max(_MIN_RETRY_S, backlog_s))
        return AdmissionRefusedError(reason, retry_after_ms=math.ceil(1000 * retry_s))

    def _move(self, change: int, client: str) -> None:
        self._count += change
        self._shares.move(client, change)
        self._observer.set_in_flight(self._count)

    def start(self, ticket: Ticket, kinds: Sequence[WorkKind], places: int) -> None:
        """See `Ticket.start`."""
        now_s = self._clock()
        work_s = sum(self._forecast.work_s(kind) for kind in kinds)
        more_s = max(0.0, work_s - ticket.work_s)
        left_s = ticket.deadline.left_s(now_s)
        # A batch that is alone is tried, whatever its size: nothing is gained by waiting.
        is_alone = self._count == ticket.places
        if len(kinds) > 1 and not is_alone and self._forecast.finish_s(more_s, now_s) > left_s:
            raise self._refuse(Reason.DEADLINE, ticket.arrival, now_s)
        self._forecast.start(ticket.work_s, work_s, now_s)
        self._move(places - ticket.places, ticket.arrival.client)
        ticket.has_started, ticket.work_s, ticket.places = True, work_s, places
        self._limit.note_in_flight(self._count)

    def relieve(self, ticket: Ticket, kind: WorkKind) -> None:
        """See `Ticket.relieve`."""
        work_s = min(ticket.work_s, self._forecast.work_s(kind))
        self._forecast.relieve(work_s)
        ticket.work_s -= work_s

    def step_aside(self, ticket: Ticket) -> None:
        """Gives the place of a ticket that has not started to others."""
        self._forecast.leave(ticket.work_s, self._clock(), has_started=False)
        self._move(-ticket.places, ticket.arrival.client)
        ticket.places = 0

    def step_back(self, ticket: Ticket) -> None:
        """Takes a place again, whether or not one is free, so that leaving always gives one back.

        Raises:
            AdmissionRefusedError: there was none, or the answer could not come in time any more.
        """
        now_s = self._clock()
        finish_s = self._forecast.finish_s(ticket.work_s, now_s)
        reason = self._reason_against(ticket.arrival, finish_s, now_s)
        self._forecast.enter(ticket.work_s)
        self._move(1, ticket.arrival.client)
        ticket.places = 1
        if reason is not None:
            raise self._refuse(reason, ticket.arrival, now_s)

    def learn(self, ticket: Ticket, kind: WorkKind, service_s: float, latency_s: float) -> None:
        """See `Ticket.learn`."""
        now_s = self._clock()
        self._forecast.learn(kind, service_s, now_s)
        self._observe_latency(ticket, latency_s, now_s)

    def leave(self, ticket: Ticket, *, has_missed: bool) -> None:
        """Gives a ticket's places back.

        Args:
            ticket: of a request that has ended.
            has_missed: whether its deadline passed before the answer came.
        """
        now_s = self._clock()
        if has_missed and ticket.has_started:
            self._observe_latency(ticket, ticket.deadline.budget_s, now_s)
        self._forecast.leave(ticket.work_s, now_s, has_started=ticket.has_started)
        self._move(-ticket.places, ticket.arrival.client)

    def _observe_latency(self, ticket: Ticket, latency_s: float, now_s: float) -> None:
        self._limit.observe(latency_s, ticket.admitted_s, now_s)
        self._observer.set_concurrency_limit(self._limit.limit)


class Ticket:
    """One request's place inside; leaving the block gives it back.

    Attributes:
        arrival: the request.
        admitted_s: when it was let in.
        work_s: what it is expected to cost, in seconds of service time.
        places: how many it takes under the limit.
        has_started: whether it was read and is in the backend.
        placement: the pool it is in, where there are several.
    """

    def __init__(
        self, admission: Admission, arrival: Arrival, work_s: float, admitted_s: float
    ) -> None:
        self._admission = admission
        self.arrival = arrival
        self.work_s = work_s
        self.admitted_s = admitted_s
        self.places = 1
        self.has_started = False
        self.placement: Placement | None = None
        self._has_missed = False

    @property
    def deadline(self) -> Deadline:
        """When the request must be answered."""
        return self.arrival.deadline

    def start(self, kinds: Sequence[WorkKind], places: int | None = None) -> None:
        """Says what the request turned out to hold, now that it was read and goes to the backend.

        Args:
            kinds: of all that is to be computed for it, at least one.
            places: how much of it is in the backend at a time; None: all.

        Raises:
            AdmissionRefusedError: it holds so many that they cannot make its deadline.
        """
        self._admission.start(self, kinds, len(kinds) if places is None else places)

    def learn(self, kind: WorkKind, service_s: float, latency_s: float) -> None:
        """Says what one answered item took.

        Args:
            kind: of work.
            service_s: the model steps' time for it, in seconds.
            latency_s: the backend's time from call to answer, in seconds.
        """
        self._admission.learn(self, kind, service_s, latency_s)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leaves the place to others while the request waits for something but the backend.

        Raises:
            AdmissionRefusedError: at the end of the block, when it cannot be let in again.
        """
        self._admission.step_aside(self)
        try:
            yield
        except BaseException:
            with suppress(AdmissionRefusedError):
                self._admission.step_back(self)
            raise
        self._admission.step_back(self)

    def relieve(self, kind: WorkKind) -> None:
        """Says that an item costs no work of its own, as another's computation answers it.

        Args:
            kind: of the item, as it was given to `start`.
        """
        self._admission.relieve(self, kind)

    def miss(self) -> None:
        """Says that an item missed the deadline, where the error does not leave the block."""
        self._has_missed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Gives the places back."""
        has_missed = self._has_missed or isinstance(error, DeadlineExceededError)
        self._admission.leave(self, has_missed=has_missed)
