"""A request's place inside, from the moment it is let in until its answer is sent.

`Admission` makes it; REST and gRPC tell it what they learn of the request.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from gateway.errors import AdmissionRefusedError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from gateway.admission.admission import Admission
    from gateway.admission.arrival import Arrival
    from gateway.admission.batch_times import Batch
    from gateway.admission.deadline import Deadline
    from gateway.admission.forecast import WorkKind
    from gateway.placement import Placement


class Ticket:
    """One request's place inside; leaving the block gives it back.

    Attributes:
        arrival: the request.
        admitted_s: when it was let in.
        work_s: what it is expected to cost, in seconds of service time.
        places: how many it takes under the limit.
        spared: how many of its places are of work that another's computation does.
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
        self.spared = 0
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

    def learn(
        self, kind: WorkKind, service_s: float, latency_s: float, batch: Batch | None = None
    ) -> None:
        """Says what one answered item took.

        Args:
            kind: of work.
            service_s: the model steps' time for it, in seconds.
            latency_s: the backend's time from call to answer, in seconds.
            batch: the one that it was in; None where nobody says.
        """
        self._admission.learn(self, kind, service_s, latency_s, batch)

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
