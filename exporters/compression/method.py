"""What a compression method is: data that says what it takes, and the function that does it.

A method changes a torch module in place, or writes one ONNX graph from another. Module methods go
first: what they leave is exported and proved against its graph like any encoder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn

    from exporters.compression.encoder_side import EncoderSide


@dataclass(frozen=True)
class Setting:
    """A number that a method takes.

    Attributes:
        default: what it is when nothing is said.
        low, high: the values it may have.
        meaning: what it does, in words.
        is_whole: whether it is a count.
    """

    default: float
    low: float
    high: float
    meaning: str
    is_whole: bool = False

    def __str__(self) -> str:
        kind = "a whole number " if self.is_whole else ""
        return f"{kind}{self.low:g} to {self.high:g}, by default {self.default:g}"


@dataclass(frozen=True)
class Notes:
    """What a method has to say of what it did.

    Attributes:
        sentences: for the report.
        figures: for machines; JSON values.
    """

    sentences: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Method:
    """What all methods share.

    Attributes:
        name: what a step calls it.
        summary: one line for the documentation.
        sides: the encoders it is for.
        settings: what it takes, by name.
        precision: of the graph it leaves; None: as it was.
    """

    name: str
    summary: str
    sides: tuple[str, ...] = ("text", "image")
    settings: Mapping[str, Setting] = field(default_factory=dict)
    precision: str | None = None
    is_on_graph: ClassVar[bool]


@dataclass(frozen=True, kw_only=True)
class ModuleMethod(Method):
    """Changes a torch module in place.

    Attributes:
        change: does it.
    """

    change: Callable[[nn.Module, EncoderSide, Mapping[str, float]], Notes]
    is_on_graph = False


@dataclass(frozen=True, kw_only=True)
class GraphMethod(Method):
    """Writes a graph (second path) from another (first path).

    Attributes:
        write: does it.
    """

    write: Callable[[Path, Path, EncoderSide, Mapping[str, float]], Notes]
    is_on_graph = True
