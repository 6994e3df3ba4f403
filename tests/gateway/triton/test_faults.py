from __future__ import annotations

import grpc
import pytest

from gateway.contract.input_fault import InputFault
from gateway.errors import (
    BackendError,
    BackendUnavailableError,
    DeadlineExceededError,
    GatewayError,
    InvalidInputError,
    OverloadedError,
    VariantUnavailableError,
)
from gateway.grpc_client.errors import RpcError
from gateway.triton.faults import to_gateway_error

CODE = grpc.StatusCode
FAULT = InputFault("image_too_many_pixels", "image", "Too many pixels.", limit=10, actual=20)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (CODE.INVALID_ARGUMENT, f"in ensemble 'e', {FAULT.to_message()}", InvalidInputError),
        (CODE.INTERNAL, FAULT.to_message() + " and more", InvalidInputError),
        (CODE.INVALID_ARGUMENT, "unexpected shape", BackendError),
        (CODE.UNAVAILABLE, "[request id: 3] Exceeds maximum queue size", OverloadedError),
        (CODE.UNAVAILABLE, "Request timeout expired", OverloadedError),
        (CODE.UNAVAILABLE, "failed to connect to all addresses", BackendUnavailableError),
        (CODE.UNAVAILABLE, "Socket closed", BackendUnavailableError),
        (CODE.UNAVAILABLE, "unknown model: 'm' is not ready: loading", VariantUnavailableError),
        (CODE.NOT_FOUND, "Request for unknown model: 'm' is not found", VariantUnavailableError),
        (CODE.DEADLINE_EXCEEDED, "Deadline Exceeded", DeadlineExceededError),
        (CODE.INTERNAL, "onnxruntime failed", BackendError),
    ],
)
def test_to_gateway_error_tells_whose_fault_it_is(
    status: grpc.StatusCode, message: str, expected: type[GatewayError]
) -> None:
    assert type(to_gateway_error(RpcError(status, message))) is expected


def test_to_gateway_error_keeps_the_fields_of_an_input_fault() -> None:
    error = to_gateway_error(RpcError(CODE.INVALID_ARGUMENT, FAULT.to_message()))
    assert isinstance(error, InvalidInputError)
    assert (error.code, error.field, error.limit, error.actual) == (FAULT.code, "image", 10, 20)
