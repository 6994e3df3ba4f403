"""What the labels of a request cost, told to its place in admission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.admission.forecast import WorkKind
from gateway.contract.manifest import ModalitySet
from gateway.value import value
from gateway.zero_shot.embeddings import CONCURRENCY

if TYPE_CHECKING:
    from gateway.admission.ticket import Ticket


def label_kind(variant: str) -> WorkKind:
    """The kind of work that one label is: a text, for the variant's own text ensemble."""
    return WorkKind(variant, ModalitySet.TEXT)


def label_places(new_prompts: int) -> int:
    """How many places the labels of one request take: as many as are in Triton at a time."""
    return min(CONCURRENCY, new_prompts)


@value
class TicketLabelWork:
    """A `LabelWork` that a ticket hears of.

    Attributes:
        ticket: of the request.
        kind: of one label.
    """

    ticket: Ticket
    kind: WorkKind

    def computed(self, service_s: float, latency_s: float) -> None:
        """See `LabelWork.computed`."""
        self.ticket.learn(self.kind, service_s, latency_s)

    def spared(self) -> None:
        """See `LabelWork.spared`."""
        self.ticket.relieve(self.kind)
