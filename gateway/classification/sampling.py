"""The seam to what looks at answers after they were given: drift and capture.

The classifier asks before each call whether the features of its inputs are wanted, since Triton
only sends what it is asked for, and hands over what came. `gateway.watching` implements it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.value import value

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from gateway.catalog import Variant
    from gateway.classification.values import Classification, ClassifyRequest
    from gateway.contract.manifest import ModalitySet
    from gateway.receipts.receipt import SignedReceipt
    from gateway.triton.backend import Row


@value
class Ticket:
    """What an answer was drawn for before it was computed.

    Attributes:
        is_watched: for a window of drift.
        is_uniform: for the capture, whatever the answer.
    """

    is_watched: bool
    is_uniform: bool


@value
class DrawnFeatures:
    """The features of one answer, and what they were asked for.

    Attributes:
        ticket: the draws.
        rows: `IMAGE_FEATURES` and `TEXT_FEATURES`, those that are there, of shapes (dim,).
    """

    ticket: Ticket
    rows: Mapping[str, Row]


class Sampler(Protocol):
    """Draws answers, and looks at those that it drew."""

    def draw(self, variant: Variant, modalities: ModalitySet) -> Ticket | None:
        """Decides whether the features of the next answer are wanted."""

    def offer(
        self,
        request: ClassifyRequest,
        answer: Classification,
        receipt: SignedReceipt,
        comparisons: Sequence[asyncio.Task[bool | None]],
    ) -> None:
        """Looks at an answer; returns at once.

        Args:
            request: as it was answered.
            answer: with features, or it is passed over.
            receipt: of the answer.
            comparisons: shadows that run; each says whether its candidate's label was the same, or
                None where nothing was compared.
        """


class NoSampler:
    """Draws nothing."""

    def draw(self, variant: Variant, modalities: ModalitySet) -> Ticket | None:
        """Wants no features."""

    def offer(
        self,
        request: ClassifyRequest,
        answer: Classification,
        receipt: SignedReceipt,
        comparisons: Sequence[asyncio.Task[bool | None]],
    ) -> None:
        """Looks at nothing."""
