"""What each classification passes on its way in, over REST and gRPC alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import stage

if TYPE_CHECKING:
    from gateway.admission.arrival import Arrival
    from gateway.admission.forecast import WorkKind
    from gateway.admission.rate_limits import RateLimits
    from gateway.admission.ticket import Ticket
    from gateway.identity.key_ring import KeyRing
    from gateway.identity.principal import Principal
    from gateway.pools.admission import PooledAdmission


@dataclass(frozen=True, slots=True)
class Entrance:
    """Who may come in, how often, and whether there is room.

    Attributes:
        key_ring: says who calls.
        rate_limits: of callers that have one.
        admission: refuses what cannot be answered in time.
    """

    key_ring: KeyRing
    rate_limits: RateLimits
    admission: PooledAdmission

    def admit(self, principal: Principal, arrival: Arrival, kind: WorkKind | None = None) -> Ticket:
        """Lets a request in, or refuses it.

        Returns:
            Its place, to be used as a context manager.

        Raises:
            AdmissionRefusedError: its caller's rate is used up, there is no place, or the answer
                could not come in time.
        """
        with stage(names.ADMISSION) as span:
            self.rate_limits.check(principal, arrival.priority)
            ticket = self.admission.admit(arrival, kind)
            self.rate_limits.take(principal)
            placement = ticket.placement
            span.note(
                {
                    names.PRIORITY: arrival.priority,
                    names.POOL: placement.pool if placement else None,
                    names.DEGRADED: placement.degraded if placement else None,
                }
            )
        return ticket
