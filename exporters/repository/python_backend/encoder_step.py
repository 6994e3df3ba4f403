"""What the two encoder steps share: rows of byte strings in, pooled features and a trace out.

Where the graph gives it, the sequence behind each feature goes out too (tokens of a text, cells of
an image), padded with zeros to the longest of its request.

A dynamic batch is a list of requests, each with one or more rows. Each row is preprocessed by
itself, so that a broken one fails its own request alone; what is left is encoded together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from exporters.repository.python_backend.rows import PreparedRows, fault_response, prepare_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

FEATURES = "FEATURES"
SEQUENCE = "SEQUENCE"
TRACE = "TRACE"

Item = TypeVar("Item")
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncodedRows:
    """What an encoder says of rows, in their order.

    Attributes:
        features: float32 (rows, dim).
        sequences: of each row, float32 (length, width); None where the graph gives none.
    """

    features: Array
    sequences: Sequence[Array] | None = None

    def part(self, start: int, end: int) -> EncodedRows:
        """The rows of one request."""
        sequences = None if self.sequences is None else self.sequences[start:end]
        return EncodedRows(self.features[start:end], sequences)


class RowEncoder(Protocol[Item]):
    """An encoder with its preprocessing."""

    input_name: str

    def preprocess(self, row: bytes) -> Item:
        """One row, or `InputFaultError` when the caller's input is at fault."""

    def encode(self, items: Sequence[Item]) -> EncodedRows:
        """Preprocessed rows to features and, where the graph gives them, sequences."""


class EncoderStep(Generic[Item]):
    """Answers dynamic batches with an encoder."""

    def __init__(self, encoder: RowEncoder[Item]) -> None:
        self._encoder = encoder

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response a request: features and trace, or the fault of its input."""
        prepared = [prepare_rows(request, self._encoder) for request in requests]
        items = [item for one in prepared if isinstance(one, PreparedRows) for item in one.items]
        start = time.perf_counter()
        encoded = (
            self._encoder.encode(items) if items else EncodedRows(np.empty((0, 0), np.float32))
        )
        encode_us = (time.perf_counter() - start) * 1e6

        responses, offset = [], 0
        for one in prepared:
            if not isinstance(one, PreparedRows):
                responses.append(fault_response(one))
                continue
            rows = len(one.items)
            trace = [[duration, encode_us, len(items)] for duration in one.durations_us]
            responses.append(_response(encoded.part(offset, offset + rows), trace))
            offset += rows
        return responses


def padded(sequences: Sequence[Array]) -> Array:
    """Lays sequences (length, width) together, zeros behind the shorter: (rows, longest, width).

    A position that is zero all along is padding to whoever reads it.
    """
    longest = max(len(each) for each in sequences)
    together = np.zeros((len(sequences), longest, sequences[0].shape[-1]), np.float32)
    for row, each in enumerate(sequences):
        together[row, : len(each)] = each
    return together


def _response(encoded: EncodedRows, trace: list[list[float]]) -> Any:  # noqa: ANN401
    outputs = [
        pb_utils.Tensor(FEATURES, encoded.features),
        pb_utils.Tensor(TRACE, np.array(trace, dtype=np.float32)),
    ]
    if encoded.sequences is not None:
        outputs.append(pb_utils.Tensor(SEQUENCE, padded(encoded.sequences)))
    return pb_utils.InferenceResponse(outputs)
