"""A graph that is not the module it was made from.

ConversionError (an ExporterError)
├── GraphSignatureError   inputs or outputs have other names or shapes than asked for
└── GraphToleranceError   its numbers differ by more than the tolerance
"""

from __future__ import annotations

from dataclasses import dataclass

from exporters.errors import ExporterError


class ConversionError(ExporterError):
    """Base of what can go wrong between a module and its graph."""

    @property
    def remedy(self) -> str:
        """Says that nothing was published."""
        return "Nothing was published; name another encoder or head in the recipe."


@dataclass(eq=False)
class GraphSignatureError(ConversionError):
    """The graph's inputs or outputs are not those asked for."""

    graph: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"Graph '{self.graph}' has the signature {self.actual}, expected {self.expected}."


@dataclass(eq=False)
class GraphToleranceError(ConversionError):
    """The graph's numbers are not the module's."""

    graph: str
    max_abs_difference: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"Graph '{self.graph}' differs from its torch module by "
            f"{self.max_abs_difference:.2e}, more than {self.tolerance:.0e}."
        )
