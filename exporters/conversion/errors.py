"""What can go wrong between a module, its graph, and the engine that is built of the graph.

ConversionError (an ExporterError)
├── GraphSignatureError      inputs or outputs have other names or shapes than asked for
├── GraphToleranceError      its numbers differ by more than the tolerance
├── UnfitQuantisationError   a Q/DQ graph that TensorRT does not take
├── EngineBuildError         TensorRT did not parse the graph, or built no engine
└── NoAcceleratorError       what needs a GPU was asked for where there is none
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


@dataclass(eq=False)
class UnfitQuantisationError(ConversionError):
    """A Q/DQ graph that TensorRT does not take."""

    graph: str
    node: str
    reason: str

    def __str__(self) -> str:
        return f"Graph '{self.graph}', node '{self.node}': {self.reason}; TensorRT takes no such."

    @property
    def remedy(self) -> str:
        """Says how to quantise for TensorRT."""
        return "Quantise symmetrically to int8, activations and weights, and leave biases out."


@dataclass(eq=False)
class EngineBuildError(ConversionError):
    """TensorRT did not parse the graph, or built no engine; `reason` is its own first error."""

    graph: str
    phase: str
    reason: str

    def __str__(self) -> str:
        return f"TensorRT failed {self.phase} graph '{self.graph}': {self.reason}"

    @property
    def remedy(self) -> str:
        """Points to the targets that need no engine."""
        return (
            "Nothing was written for this target. `--target gpu` runs the same graph without an "
            "engine; where memory was short, free some and run it again."
        )


@dataclass(eq=False)
class NoAcceleratorError(ConversionError):
    """What needs a GPU was asked for where there is none; `needed_for` is the library or proof."""

    needed_for: str
    reason: str

    def __str__(self) -> str:
        return f"{self.needed_for} needs a CUDA GPU, and there is none: {self.reason}."

    @property
    def remedy(self) -> str:
        """Says where to run it."""
        return "Run it on the host with the GPU that will serve; `nvidia-smi` there lists it."
