"""What the two encoder steps share: rows of byte strings in, pooled features and a trace out.

A dynamic batch is a list of requests, each with one or more rows. Each row is preprocessed by
itself, so that a broken one fails its own request alone; what is left is encoded together.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from exporters.repository.python_backend.rows import PreparedRows, fault_response, prepare_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

FEATURES = "FEATURES"
TRACE = "TRACE"

Item = TypeVar("Item")
Features = npt.NDArray[np.float32]


class RowEncoder(Protocol[Item]):
    """An encoder with its preprocessing."""

    input_name: str

    def preprocess(self, row: bytes) -> Item:
        """One row, or `InputFaultError` when the caller's input is at fault."""

    def encode(self, items: Sequence[Item]) -> Features:
        """Preprocessed rows to features, float32 (rows, dim)."""


class EncoderStep(Generic[Item]):
    """Answers dynamic batches with an encoder."""

    def __init__(self, encoder: RowEncoder[Item]) -> None:
        self._encoder = encoder

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response a request: features and trace, or the fault of its input."""
        prepared = [prepare_rows(request, self._encoder) for request in requests]
        items = [item for one in prepared if isinstance(one, PreparedRows) for item in one.items]
        start = time.perf_counter()
        features = self._encoder.encode(items) if items else np.empty((0, 0), np.float32)
        encode_us = (time.perf_counter() - start) * 1e6

        responses, offset = [], 0
        for one in prepared:
            if not isinstance(one, PreparedRows):
                responses.append(fault_response(one))
                continue
            rows = len(one.items)
            trace = [[duration, encode_us, len(items)] for duration in one.durations_us]
            responses.append(_response(features[offset : offset + rows], trace))
            offset += rows
        return responses


def _response(features: Features, trace: list[list[float]]) -> Any:  # noqa: ANN401
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor(FEATURES, features),
            pb_utils.Tensor(TRACE, np.array(trace, dtype=np.float32)),
        ]
    )
