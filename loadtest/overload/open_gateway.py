"""The gateway with its admission switched off: what admission costs is measured against it.

A process of the bench (`python -m loadtest.overload.open_gateway`), and no setting of the gateway:
in service it would only lose answers. Deadlines hold as ever.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import gateway.collaborators as wiring
from gateway.__main__ import main
from gateway.admission.admission import Admission
from gateway.admission.ticket import Ticket

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from gateway.admission.arrival import Arrival
    from gateway.admission.batch_times import Batch
    from gateway.admission.forecast import WorkKind


class _OpenTicket(Ticket):
    """A place that nobody counts."""

    def start(self, kinds: Sequence[WorkKind], places: int | None = None) -> None:
        """Does nothing."""

    def relieve(self, kind: WorkKind) -> None:
        """Does nothing."""

    def learn(
        self, kind: WorkKind, service_s: float, latency_s: float, batch: Batch | None = None
    ) -> None:
        """Does nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Does nothing."""


class _OpenAdmission(Admission):
    """Lets everything in."""

    def admit(self, arrival: Arrival, kind: WorkKind | None = None) -> Ticket:
        """Lets a request in."""
        return _OpenTicket(self, arrival, 0.0, 0.0)


if __name__ == "__main__":
    vars(wiring)["Admission"] = _OpenAdmission
    sys.exit(main())
