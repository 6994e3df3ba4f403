"""Graphs run as the served steps run them: one thread, one example at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch

from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from exporters.compression.encoder_side import EncoderSide


class GraphSession:
    """An encoder's graph, open on one thread of the CPU; the served steps have one thread too."""

    def __init__(self, graph: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Its warnings are about initialisers that quantisation left unused; they change nothing.
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def run(self, feeds: Mapping[str, Any]) -> NDArray[np.float32]:
        """Inputs by name to features, float32 (batch, dim)."""
        features: NDArray[np.float32] = self._session.run(None, dict(feeds))[0]
        return features


def features_of(graph: Path, side: EncoderSide, what: str) -> Tensor:
    """Features of all examples, each encoded alone, float32 (examples, dim)."""
    session = GraphSession(graph)
    rows = []
    examples = len(side.variant.table.examples)
    with progress(f"Features of {what}", examples) as advance:
        for row in range(examples):
            rows.append(session.run(side.feeds([row])))
            advance()
    return torch.from_numpy(np.concatenate(rows))
