"""What the steps before a native encoder share: rows of byte strings in, arrays and a trace out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import triton_python_backend_utils as pb_utils

from exporters.repository.python_backend.rows import PreparedRows, fault_response, prepare_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

TRACE = "TRACE"

Item = TypeVar("Item")


class RowStacker(Protocol[Item]):
    """Preprocesses rows, and lays the rows of a request together."""

    input_name: str

    def preprocess(self, row: bytes) -> Item:
        """One row, or `InputFaultError` when the caller's input is at fault."""

    def stack(self, items: Sequence[Item]) -> Mapping[str, npt.NDArray[Any]]:
        """Preprocessed rows to output tensors, each (rows, ...)."""


class PreprocessStep(Generic[Item]):
    """Answers dynamic batches without encoding anything."""

    def __init__(self, stacker: RowStacker[Item]) -> None:
        self._stacker = stacker

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response a request: arrays and trace, or the fault of its input."""
        prepared = [prepare_rows(request, self._stacker) for request in requests]
        return [
            self._response(one) if isinstance(one, PreparedRows) else fault_response(one)
            for one in prepared
        ]

    def _response(self, prepared: PreparedRows[Item]) -> Any:  # noqa: ANN401
        arrays = self._stacker.stack(prepared.items)
        # What the encoder takes is not known here; see `gateway.contract.tensors.TRACE_FIELDS`.
        trace = [[duration_us, 0.0, 0.0] for duration_us in prepared.durations_us]
        return pb_utils.InferenceResponse(
            [
                *(pb_utils.Tensor(name, array) for name, array in arrays.items()),
                pb_utils.Tensor(TRACE, np.array(trace, dtype=np.float32)),
            ]
        )
