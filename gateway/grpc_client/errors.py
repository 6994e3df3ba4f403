"""What goes wrong with a call, and with a peer that does not speak HTTP/2 as it should."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import grpc

if TYPE_CHECKING:
    from collections.abc import Mapping


class RpcError(Exception):
    """A call that did not end with OK.

    Attributes:
        status: of gRPC.
        message: the peer's, or what happened here.
    """

    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status.name}: {message}")


class ErrorCode(IntEnum):
    """Why a stream or a connection ended (RFC 9113, section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


_STATUS_OF_RESET: Final[Mapping[int, grpc.StatusCode]] = {
    ErrorCode.REFUSED_STREAM: grpc.StatusCode.UNAVAILABLE,
    ErrorCode.CANCEL: grpc.StatusCode.CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.INADEQUATE_SECURITY: grpc.StatusCode.PERMISSION_DENIED,
}


def of_reset(code: int) -> RpcError:
    """Returns what a stream that the peer reset means for its call (gRPC over HTTP/2, "Errors")."""
    status = _STATUS_OF_RESET.get(code, grpc.StatusCode.INTERNAL)
    return RpcError(status, f"the peer reset the stream with code {code}")


class ProtocolError(Exception):
    """The peer broke the rules of HTTP/2: the connection cannot go on.

    Attributes:
        code: that it is told.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        self.code = code
        super().__init__(message)
