"""Decides at arrival whether a request is let in, and learns from those that were.

Three questions, cheapest first: is there a place under the adaptive limit (`limit`), does the
caller's class or share leave it to this request (`shares`), and would the answer come within the
deadline (`forecast`). REST asks before the body is read; gRPC before the call is worked on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from gateway.admission.arrival import Arrival, Priority, Reason
from gateway.admission.batches import Batches
from gateway.admission.deadline import Deadline
from gateway.admission.forecast import Forecast, WorkKind
from gateway.admission.limit import GradientLimit
from gateway.admission.shares import ClientShares
from gateway.admission.ticket import Ticket
from gateway.errors import AdmissionRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.admission.batch_times import Batch
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
        self._batches = Batches(budget_s)
        self._shares = ClientShares()
        self._count = 0
        self._spared = 0  # places of what another's computation answers
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
        finish_s = self._finish_s(work_s, 0, now_s)
        held_s = min(self._budget_s, finish_s)
        self._shares.note_arrival(
            arrival.client, self._limit.limit, held_s, now_s, weight=arrival.weight
        )
        reason = self._reason_against(arrival, finish_s, now_s)
        if reason is not None:
            raise self._refuse(reason, arrival, now_s)
        self._enter(work_s, arrival.client, now_s)
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

    def _finish_s(self, work_s: float, more: int, now_s: float) -> float:
        """Predicts when one would be answered that brings so much work, behind `more` others."""
        if self._count and self._batches.is_long:
            return self._batches.finish_s(self._count - self._spared + more, now_s)
        return self._forecast.finish_s(work_s, now_s)

    def _refuse(self, reason: Reason, arrival: Arrival, now_s: float) -> AdmissionRefusedError:
        self._observer.count_refusal(reason, arrival.priority)
        backlog_s = self._forecast.backlog_s(now_s)
        retry_s = min(_MAX_RETRY_S, max(_MIN_RETRY_S, backlog_s))
        return AdmissionRefusedError(reason, retry_after_ms=math.ceil(1000 * retry_s))

    def _enter(self, work_s: float, client: str, now_s: float) -> None:
        if self._count == 0:
            self._batches.wake(now_s)
        self._forecast.enter(work_s)
        self._move(1, client)

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
        more = places - ticket.places
        if len(kinds) > 1 and not is_alone and self._finish_s(more_s, more, now_s) > left_s:
            raise self._refuse(Reason.DEADLINE, ticket.arrival, now_s)
        self._forecast.start(ticket.work_s, work_s, now_s)
        if more:
            self._move(more, ticket.arrival.client)
        ticket.has_started, ticket.work_s, ticket.places = True, work_s, places
        self._limit.note_in_flight(self._count)

    def relieve(self, ticket: Ticket, kind: WorkKind) -> None:
        """See `Ticket.relieve`."""
        work_s = min(ticket.work_s, self._forecast.work_s(kind))
        self._forecast.relieve(work_s)
        ticket.work_s -= work_s
        if ticket.spared < ticket.places:
            ticket.spared += 1
            self._spared += 1

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
        finish_s = self._finish_s(ticket.work_s, 0, now_s)
        reason = self._reason_against(ticket.arrival, finish_s, now_s)
        self._enter(ticket.work_s, ticket.arrival.client, now_s)
        ticket.places = 1
        if reason is not None:
            raise self._refuse(reason, ticket.arrival, now_s)

    def learn(
        self,
        ticket: Ticket,
        kind: WorkKind,
        service_s: float,
        latency_s: float,
        batch: Batch | None,
    ) -> None:
        """See `Ticket.learn`."""
        now_s = self._clock()
        self._forecast.learn(kind, service_s, now_s)
        if batch is not None:
            others = self._count - self._spared - 1
            self._batches.learn(batch, latency_s, self._forecast.pause_s, others, now_s)
        self._observe_latency(ticket, latency_s, now_s)

    def leave(self, ticket: Ticket, *, has_missed: bool) -> None:
        """Gives a ticket's places back.

        Args:
            ticket: of a request that has ended.
            has_missed: whether its deadline passed before the answer came.
        """
        now_s = self._clock()
        if has_missed and ticket.has_started:
            self._batches.miss(now_s)
            self._observe_latency(ticket, ticket.deadline.budget_s, now_s)
        self._forecast.leave(ticket.work_s, now_s, has_started=ticket.has_started)
        self._spared -= ticket.spared
        self._move(-ticket.places, ticket.arrival.client)

    def _observe_latency(self, ticket: Ticket, latency_s: float, now_s: float) -> None:
        self._limit.observe(latency_s, ticket.admitted_s, now_s, self._batches.limit)
        self._observer.set_concurrency_limit(self._limit.limit)
