from __future__ import annotations

import numpy as np
import pytest

from gateway.errors import BackendError
from gateway.triton.outputs import read_row, read_trace


def logits(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    "outputs",
    [{}, {"LOGITS": logits(1.0, 2.0)}, {"LOGITS": logits(1.0, 2.0, float("inf"))}],
)
def test_read_row_broken_contract_is_a_backend_error(
    outputs: dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]],
) -> None:
    with pytest.raises(BackendError):
        read_row(outputs, "LOGITS", 3)


def test_read_trace_turns_microseconds_into_milliseconds() -> None:
    trace = read_trace({"IMAGE_TRACE": logits(1500.0, 11000.0, 4.0)}, "IMAGE_TRACE")
    assert (trace.preprocess_ms, trace.encode_ms, trace.batch_size) == (1.5, 11.0, 4)


def test_read_trace_of_an_encoder_that_tells_nothing_is_none() -> None:
    trace = read_trace({"TEXT_TRACE": logits(1500.0, 0.0, 0.0)}, "TEXT_TRACE")
    assert (trace.preprocess_ms, trace.encode_ms, trace.batch_size) == (1.5, None, None)
