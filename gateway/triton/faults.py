"""What a Triton error means for the request: the caller's fault, a passing state, or a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc

from gateway.contract.input_fault import from_message
from gateway.errors import (
    BackendError,
    BackendUnavailableError,
    DeadlineExceededError,
    GatewayError,
    InvalidInputError,
    OverloadedError,
    VariantUnavailableError,
)

if TYPE_CHECKING:
    from gateway.grpc_client.errors import RpcError

# Triton tells these apart by their text alone (2.51 to 2.72).
_QUEUE_TEXTS: Final = ("exceeds maximum queue size", "request timeout expired")
_MODEL_TEXTS: Final = ("unknown model", "is not ready", "has no available versions", "not found")


def to_gateway_error(error: RpcError) -> GatewayError:
    """Translates the error of a Triton call.

    An input fault counts whatever the status: an ensemble may pass on a step's message under a
    status of its own.
    """
    if (fault := from_message(error.message)) is not None:
        return InvalidInputError(
            fault.code, fault.detail, field=fault.field, limit=fault.limit, actual=fault.actual
        )
    status = error.status
    text = error.message.lower()
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceededError()
    if any(each in text for each in _QUEUE_TEXTS) or status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return OverloadedError()
    if status in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE} and any(
        each in text for each in _MODEL_TEXTS
    ):
        return VariantUnavailableError()
    if status is grpc.StatusCode.UNAVAILABLE:
        return BackendUnavailableError()
    return BackendError(f"{status.name}: {error.message[:500]}")
