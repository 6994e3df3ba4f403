"""Rows of byte strings to what a step computes with, or the fault of the caller's input.

Each row is preprocessed by itself, so that a broken one fails its own request alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import triton_python_backend_utils as pb_utils

from exporters.preprocessing.errors import InputFaultError

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class RowReader(Protocol[Item_co]):
    """Reads one row of an input."""

    input_name: str

    def preprocess(self, row: bytes) -> Item_co:
        """One row, or `InputFaultError` when the caller's input is at fault."""


@dataclass(frozen=True)
class PreparedRows(Generic[Item]):
    """The rows of one request, and how long each took, in microseconds."""

    items: list[Item]
    durations_us: list[float]


def prepare_rows(request: Any, reader: RowReader[Item]) -> PreparedRows[Item] | InputFaultError:  # noqa: ANN401
    """Preprocesses the rows of a request; the first that is at fault is returned instead."""
    tensor = pb_utils.get_input_tensor_by_name(request, reader.input_name)
    items: list[Item] = []
    durations_us: list[float] = []
    for row in tensor.as_numpy().ravel():
        start = time.perf_counter()
        try:
            items.append(reader.preprocess(row))
        except InputFaultError as error:
            return error
        durations_us.append((time.perf_counter() - start) * 1e6)
    return PreparedRows(items, durations_us)


def fault_response(error: InputFaultError) -> Any:  # noqa: ANN401
    """The answer to a request whose input is at fault."""
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(error.fault.to_message(), pb_utils.TritonError.INVALID_ARG)
    )
