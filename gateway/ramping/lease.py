"""One leader among replicas, by a row in the database.

No clock is compared between machines, nor with a clock of the day: the holder moves a number, and
who sees the number stand still for as long as the lease, by its own monotonic clock, takes over
(as Kubernetes' leader election does). The lease is read in the very transaction that changes
something, with its row locked: a leader that was frozen and wakes up finds another token and
changes nothing (fencing; Gray and Cheriton 1989, "Leases").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import update

from gateway.storage.ramp_tables import Lease as LeaseRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

RAMPS: Final = "ramps"
LEASE_S: Final = 5.0
"""How long a leader may be silent, in seconds."""


class Lease:
    """What one process knows of the lease.

    Args:
        holder: a name that no other process ever has.
        clock: returns seconds, monotonic.
        lease_s: how long the holder may be silent, in seconds.
    """

    def __init__(self, holder: str, clock: Callable[[], float], lease_s: float = LEASE_S) -> None:
        self.token = 0
        self._holder = holder
        self._clock = clock
        self._lease_s = lease_s
        self._seen: tuple[int, int] | None = None
        self._seen_at_s = 0.0

    def hold(self, session: Session) -> bool:
        """Whether this process leads; takes over from a holder that is silent.

        Args:
            session: of a transaction that writes. While it lasts nobody else can lead.
        """
        row = session.get(LeaseRow, RAMPS, with_for_update=True, populate_existing=True)
        if row is None:
            row = LeaseRow(name=RAMPS, holder=None, token=0, beat=0)
            session.add(row)
        if row.holder == self._holder and row.token == self.token:
            row.beat += 1
            return True
        seen = row.token, row.beat
        if seen != self._seen:
            self._seen, self._seen_at_s = seen, self._clock()
        is_silent = self._clock() - self._seen_at_s >= self._lease_s
        if row.holder is not None and not is_silent:
            return False
        row.holder = self._holder
        row.token += 1
        self.token = row.token
        return True

    def release(self, session: Session) -> None:
        """Lets another process lead at once."""
        session.execute(
            update(LeaseRow)
            .where(LeaseRow.name == RAMPS, LeaseRow.holder == self._holder)
            .values(holder=None)
        )
