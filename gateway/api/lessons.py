"""What admission learns from an answer, over REST and gRPC alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.admission.batch_times import Batch
from gateway.reuse.source import Source

if TYPE_CHECKING:
    from gateway.admission.forecast import WorkKind
    from gateway.admission.ticket import Ticket
    from gateway.classification.values import Classification


def learn(ticket: Ticket, kind: WorkKind, answer: Classification) -> None:
    """Tells admission what an answer took, unless it says nothing of the pool that was asked.

    That is so where another's computation answered, or another pool after the first had failed.
    """
    if answer.source is not Source.COMPUTED:
        return
    if ticket.placement is None or ticket.placement.pool is answer.placement.pool:
        batch = None
        if (slower := answer.slower_batch) is not None:
            batch_ms, size = slower
            batch = Batch(batch_ms / 1000, size)
        ticket.learn(kind, answer.service_ms / 1000, answer.timings.triton_ms / 1000, batch)
