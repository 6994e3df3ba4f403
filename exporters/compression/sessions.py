"""Graphs run as the served steps run them: one thread, one example at a time."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import onnxruntime
import torch

from exporters.progress import progress
from exporters.training.sequence_files import new_sequences

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
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

    def run(self, feeds: Mapping[str, Any]) -> tuple[NDArray[np.float32], ...]:
        """Inputs by name to all outputs, of which the head reads the last.

        Returns:
            Features, float32 (batch, dim); of a graph that has one also the sequence, float32
            (batch, length, sequence_dim).
        """
        return tuple(self._session.run(None, dict(feeds)))


def encode_all(graph: Path, side: EncoderSide, what: str, sequences_file: Path) -> Tensor:
    """Encodes all examples, each alone.

    Args:
        graph: of the encoder.
        side: gives the examples.
        what: names the encoder, for the progress bar.
        sequences_file: is filled where a head reads sequences.

    Returns:
        Features, float32 (examples, dim).

    Raises:
        SequencesTooLargeError: the file would take too much disk; nothing was computed.
    """
    session = GraphSession(graph)
    features = torch.empty_like(side.features)
    examples = len(features)
    with ExitStack() as files:
        fill = None
        if side.sequences is not None:
            shape = (examples, *side.sequence_shape)
            fill = files.enter_context(new_sequences(sequences_file, shape, side.side, what))
        advance = files.enter_context(progress(f"Features of {what}", examples))
        for row in range(examples):
            pooled, *sequence = map(torch.from_numpy, session.run(side.feeds([row])))
            features[row] = pooled[0]
            if fill is not None:
                fill([row], sequence[0])
            advance()
    return features
