"""How much each layer's quantisation costs: the feature's error when that layer alone is int8.

Of an encoder whose sequence the head reads, the sequence's.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.compression.sessions import GraphSession
from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.compression.encoder_side import EncoderSide
    from exporters.compression.methods.int8.static import CalibratedGraph

_SAMPLES: Final = 8


@dataclass(frozen=True)
class LayerError:
    """One layer's share of the damage.

    Attributes:
        layer: name of its node.
        error: root mean square of the feature's change, relative to the feature.
    """

    layer: str
    error: float


def measure_sensitivity(
    graph: CalibratedGraph, side: EncoderSide, rows: Sequence[int]
) -> tuple[LayerError, ...]:
    """Quantises each layer by itself and compares features, in the graph's order.

    Args:
        graph: what is quantised.
        side: where examples come from.
        rows: calibration examples; the first few are compared.
    """
    feeds = [side.feeds([row]) for row in rows[:_SAMPLES]]
    reference = _features(graph.graph, feeds)
    errors = []
    with (
        tempfile.TemporaryDirectory(prefix="diptych-layer-") as scratch,
        progress(f"Sensitivity of {side.side} layers", len(graph.layers)) as advance,
    ):
        alone = Path(scratch) / "layer.onnx"
        for layer in graph.layers:
            graph.write(alone, without=[other for other in graph.layers if other != layer])
            change = _features(alone, feeds) - reference
            error = float(np.sqrt(np.square(change).mean() / np.square(reference).mean()))
            errors.append(LayerError(layer, error))
            advance()
    return tuple(errors)


def most_sensitive(errors: Sequence[LayerError], count: int) -> tuple[str, ...]:
    """Names of the `count` layers with the largest errors, worst first."""
    ranked = sorted(errors, key=lambda each: each.error, reverse=True)
    return tuple(each.layer for each in ranked[:count])


def _features(graph: Path, feeds: Sequence[dict[str, np.ndarray]]) -> np.ndarray:  # type: ignore[type-arg]
    session = GraphSession(graph)
    return np.concatenate([session.run(each)[-1].ravel() for each in feeds])
