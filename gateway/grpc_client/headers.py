"""Header blocks of a call: written without state, read through HPACK's (RFC 7541)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import grpc
import hpack

from gateway.grpc_client.errors import ErrorCode, ProtocolError, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BYTES: Final = 8 * 1024
"""Of the metadata of a call, and of an answer as the peer is told; what gRPC takes by default."""
MAX_READ_BYTES: Final = 256 * 1024
"""Of an answer as it is read: servers send an error's whole text whatever they were told, and what
is not read ends the connection with all its calls."""

NO_TABLE: Final = b"\x20"
"""Opens the first block of a connection: nothing that is written refers to what was before."""
_METHOD_POST: Final = b"\x83"  # of the static table
_SCHEME_HTTP: Final = b"\x86"
_NOT_INDEXED: Final = b"\x00"  # a field that neither side has to remember
_INDEXED: Final = 0x80  # a byte from here on, alone, is a field of the table
_MAX_KNOWN: Final = 16
_MAX_IN_PREFIX: Final = 127
_TIMEOUT_DIGITS: Final = 8
_US_PER_S: Final = 1_000_000
_UNITS: Final = ((b"u", 1), (b"m", 1_000), (b"S", _US_PER_S))
_STATUSES: Final = {str(each.value[0]).encode(): each for each in grpc.StatusCode}
_STATUS_OF_HTTP: Final = {
    b"400": grpc.StatusCode.INTERNAL,
    b"401": grpc.StatusCode.UNAUTHENTICATED,
    b"403": grpc.StatusCode.PERMISSION_DENIED,
    b"404": grpc.StatusCode.UNIMPLEMENTED,
    b"429": grpc.StatusCode.UNAVAILABLE,
    b"502": grpc.StatusCode.UNAVAILABLE,
    b"503": grpc.StatusCode.UNAVAILABLE,
    b"504": grpc.StatusCode.UNAVAILABLE,
}


@lru_cache(maxsize=64)
def _opening(authority: str, path: str) -> bytes:
    """Returns what all calls of a method have in common."""
    return b"".join(
        (
            _METHOD_POST,
            _SCHEME_HTTP,
            _field(b":path", path.encode()),
            _field(b":authority", authority.encode()),
            _field(b"te", b"trailers"),
            _field(b"content-type", b"application/grpc"),
            _field(b"user-agent", b"diptych-gateway"),
            _field(b"grpc-accept-encoding", b"identity"),
        )
    )


def write_request(
    authority: str, path: str, timeout_s: float, metadata: Iterable[tuple[str, str]]
) -> bytes:
    """Writes the header block of a call.

    Args:
        authority: `host:port` of the server.
        path: `/package.Service/Method`.
        timeout_s: above 0; the peer is told.
        metadata: names in lower case and values, both ASCII.

    Raises:
        RpcError: the metadata is longer than `MAX_BYTES`.
    """
    block = _opening(authority, path) + _field(b"grpc-timeout", _timeout(timeout_s))
    for name, value in metadata:
        block += _field(name.encode("ascii"), value.encode("ascii"))
    if len(block) > MAX_BYTES:
        raise RpcError(
            grpc.StatusCode.RESOURCE_EXHAUSTED, f"metadata longer than {MAX_BYTES} bytes"
        )
    return block


def _field(name: bytes, value: bytes) -> bytes:
    return _NOT_INDEXED + _string(name) + _string(value)


def _string(text: bytes) -> bytes:
    length = len(text)
    if length < _MAX_IN_PREFIX:
        return bytes((length,)) + text
    encoded = bytearray((_MAX_IN_PREFIX,))
    length -= _MAX_IN_PREFIX
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + text


def _timeout(timeout_s: float) -> bytes:
    """Returns it in the finest unit in which it has eight digits, never as nothing."""
    timeout_us = max(1, math.ceil(timeout_s * _US_PER_S))
    for unit, size_us in _UNITS:
        digits = b"%d" % -(-timeout_us // size_us)  # rounded up
        if len(digits) <= _TIMEOUT_DIGITS:
            return digits + unit
    return b"9" * _TIMEOUT_DIGITS + b"S"


class HeaderReader:
    """Reads the header blocks of one connection, each of which depends on those before.

    Servers say the same with nearly every answer, in bytes that refer to the table of what was said
    before. Such a block adds nothing to the table, so it means the same until another block does.
    """

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=MAX_READ_BYTES)
        self._known: dict[bytes, Mapping[bytes, bytes]] = {}

    def read(self, block: bytes) -> Mapping[bytes, bytes]:
        """Returns the fields; of those with one name the last.

        Raises:
            ProtocolError: it cannot be decoded, or is longer than `MAX_READ_BYTES`.
        """
        if (known := self._known.get(block)) is not None:
            return known
        try:
            fields = dict(self._decoder.decode(block, raw=True))
        except hpack.HPACKError as error:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, str(error)) from error
        if min(block, default=0) < _INDEXED or len(self._known) == _MAX_KNOWN:
            self._known.clear()
        else:
            self._known[block] = fields
        return fields


def check_response(fields: Mapping[bytes, bytes]) -> None:
    """Holds the headers of an answer against what gRPC wants.

    Raises:
        RpcError: it is no answer of gRPC.
    """
    http = fields.get(b":status", b"")
    if http != b"200":
        status = _STATUS_OF_HTTP.get(http, grpc.StatusCode.UNKNOWN)
        raise RpcError(status, f"HTTP status {_text(http)}")
    content_type = fields.get(b"content-type", b"")
    if not content_type.startswith(b"application/grpc"):
        raise RpcError(grpc.StatusCode.UNKNOWN, f"content-type {_text(content_type)}")


def check_trailers(fields: Mapping[bytes, bytes]) -> None:
    """Reads the outcome of a call.

    Raises:
        RpcError: it is not OK.
    """
    code = fields.get(b"grpc-status")
    if code == b"0":
        return
    if code is None:
        raise RpcError(grpc.StatusCode.UNKNOWN, "an answer without grpc-status")
    message = unquote_to_bytes(fields.get(b"grpc-message", b""))
    raise RpcError(_STATUSES.get(code, grpc.StatusCode.UNKNOWN), _text(message))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
