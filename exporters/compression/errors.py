"""What can go wrong between an encoder and its smaller self.

CompressionError (an ExporterError)
├── InvalidStepError        a method that cannot be applied as it was asked for
└── BatchDependenceError    answers that change with what shares a batch, which nobody accepted
"""

from __future__ import annotations

from dataclasses import dataclass

from exporters.errors import ExporterError


class CompressionError(ExporterError):
    """Base of what can go wrong while an encoder is compressed."""


@dataclass(eq=False)
class InvalidStepError(CompressionError):
    """A step, as the user wrote it, that its method or its encoder does not take."""

    step: str
    reason: str
    cure: str

    def __str__(self) -> str:
        return f"Compression step '{self.step}': {self.reason}."

    @property
    def remedy(self) -> str:
        """Says what would be taken."""
        return self.cure


@dataclass(eq=False)
class BatchDependenceError(CompressionError):
    """An encoder whose features change with their batch mates; nothing was published."""

    steps: str
    largest_difference: float
    allowed: float

    def __str__(self) -> str:
        return (
            f"The features of '{self.steps}' depend on what else is in the batch: they change by "
            f"up to {self.largest_difference:.1%} of the largest ({self.allowed:.1%} is allowed), "
            "so the same request can be answered differently."
        )

    @property
    def remedy(self) -> str:
        """Names the method whose answers repeat, and the way to accept those that do not."""
        return "Use int8 instead of int8-dynamic, or accept it with --accept-batch-dependence."
