from __future__ import annotations

import math
import string
from fractions import Fraction
from typing import cast

import grpc
import hpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.grpc_client.errors import ErrorCode, ProtocolError, RpcError
from gateway.grpc_client.headers import (
    MAX_BYTES,
    MAX_READ_BYTES,
    NO_TABLE,
    HeaderReader,
    check_response,
    check_trailers,
    write_request,
)

PATH = "/test.Service/Method"
NAMES = st.text(string.ascii_lowercase + string.digits + "-_.", min_size=1, max_size=300)
VALUES = st.text([chr(each) for each in range(0x20, 0x7F)], max_size=300)
UNITS_S = {"u": Fraction(1, 10**6), "m": Fraction(1, 1000), "S": Fraction(1)}
HOUR_S = 3600.0


def decoded(block: bytes) -> list[tuple[bytes, bytes]]:
    """Reads a block without any memory, as a peer may whose table has no place."""
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = 0
    fields = decoder.decode(NO_TABLE + block, raw=True)
    return [(bytes(name), bytes(value)) for name, value in fields]


def told(timeout_s: float) -> tuple[str, str]:
    """Returns digits and unit of what the peer is told."""
    fields = dict(decoded(write_request("host:1", PATH, timeout_s, ())))
    text = fields[b"grpc-timeout"].decode()
    return text[:-1], text[-1]


@given(metadata=st.lists(st.tuples(NAMES, VALUES), max_size=5))
@example(metadata=[("n" * length, "v" * length) for length in (126, 127, 128)])
@example(metadata=[("a", "v" * (127 + 127)), ("a", "v" * (127 + 128)), ("a", "")])
@example(metadata=[("a", "v" * 7000)])
def test_request_is_decoded_to_the_same_names_and_values(metadata: list[tuple[str, str]]) -> None:
    block = write_request("host:1", PATH, 1.0, metadata)
    assert decoded(block) == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", PATH.encode()),
        (b":authority", b"host:1"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"diptych-gateway"),
        (b"grpc-accept-encoding", b"identity"),
        (b"grpc-timeout", b"1000000u"),
        *((name.encode(), value.encode()) for name, value in metadata),
    ]


def test_requests_of_two_methods_and_hosts_are_told_apart() -> None:
    pairs = [(authority, path) for authority in ("a:1", "b:1") for path in ("/s/M", "/s/N")]
    for authority, path in pairs * 2:
        fields = dict(decoded(write_request(authority, path, 1.0, ())))
        assert (fields[b":authority"], fields[b":path"]) == (authority.encode(), path.encode())


def test_request_leaves_nothing_in_the_table_of_its_reader() -> None:
    decoder = hpack.Decoder()
    decoder.decode(NO_TABLE + write_request("host:1", PATH, 1.0, [("a", "b")]))
    assert list(decoder.header_table.dynamic_entries) == []


def test_request_longer_than_is_allowed_fails_alone() -> None:
    with pytest.raises(RpcError) as caught:
        write_request("host:1", PATH, 1.0, [("a", "v" * MAX_BYTES)])
    assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED


@given(st.floats(0, 1e12, allow_nan=False))
@example(0.0)
@example(1e-9)
@example(99.999999)
@example(100.0)
@example(99_999.9995)
@example(1e8 - 1e-3)
@example(1e8)
def test_timeout_has_eight_digits_at_most_and_is_never_nothing(timeout_s: float) -> None:
    digits, unit = told(timeout_s)
    assert digits.isdecimal()
    assert 1 <= len(digits) <= 8
    assert int(digits) > 0
    assert unit in UNITS_S


@given(st.floats(1e-6, 99.999, allow_nan=False))
def test_timeout_below_100_s_is_told_to_the_microsecond_and_never_shorter(
    timeout_s: float,
) -> None:
    digits, unit = told(timeout_s)
    told_s = int(digits) * UNITS_S[unit]
    # The product with a million may be rounded.
    rounded = Fraction(math.ulp(timeout_s * 1e6)) * UNITS_S["u"]
    assert -rounded <= told_s - Fraction(timeout_s) < UNITS_S["u"] + rounded
    assert unit == "u"


@given(st.floats(100, 9e7, allow_nan=False))
def test_timeout_from_100_s_on_is_told_to_the_unit_and_never_shorter(timeout_s: float) -> None:
    digits, unit = told(timeout_s)
    told_s = int(digits) * UNITS_S[unit]
    # The product with a million may be rounded.
    rounded = Fraction(math.ulp(timeout_s * 1e6)) * UNITS_S["u"]
    assert -rounded <= told_s - Fraction(timeout_s) < UNITS_S[unit] + UNITS_S["u"] + rounded


def test_timeout_of_a_day_is_told_in_milliseconds() -> None:
    assert told(24 * HOUR_S) == ("86400000", "m")


def test_reader_remembers_what_a_peer_has_put_into_the_table() -> None:
    encoder, reader = hpack.Encoder(), HeaderReader()
    fields = [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"x-a", b"\xff\0")]
    first, second = encoder.encode(fields), encoder.encode(fields)
    assert len(second) < len(first)
    assert reader.read(first) == dict(fields)
    assert reader.read(second) == dict(fields)


def test_reader_returns_the_last_of_fields_with_one_name() -> None:
    assert HeaderReader().read(hpack.Encoder().encode([("a", "1"), ("a", "2")])) == {b"a": b"2"}


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # the field with index 0
        b"\xff\xff\xff\xff\xff\xff",  # an index without end
        b"\xbe",  # an index above the table
        b"\x3f\xff\xff\x03",  # a table of more than was offered
        b"\x00\x05ab",  # a name shorter than it says
        b"\x00\x81\xff\x00",  # no code of Huffman's
        hpack.Encoder().encode([("a", "v" * MAX_READ_BYTES)], huffman=False),
    ],
)
def test_reader_refuses_what_is_no_header_block(block: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        HeaderReader().read(block)
    assert caught.value.code == ErrorCode.COMPRESSION_ERROR


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_reader_of_any_bytes_returns_fields_or_refuses_them(blocks: list[bytes]) -> None:
    reader = HeaderReader()
    for block in blocks:
        try:
            fields = reader.read(block)
        except ProtocolError:
            return
        assert all(isinstance(each, bytes) for pair in fields.items() for each in pair)


@pytest.mark.parametrize(
    "content_type", [b"application/grpc", b"application/grpc+proto", b"application/grpc; x=y"]
)
def test_response_of_grpc_is_accepted(content_type: bytes) -> None:
    check_response({b":status": b"200", b"content-type": content_type})


@pytest.mark.parametrize(
    ("http", "status"),
    [
        (b"400", grpc.StatusCode.INTERNAL),
        (b"401", grpc.StatusCode.UNAUTHENTICATED),
        (b"403", grpc.StatusCode.PERMISSION_DENIED),
        (b"404", grpc.StatusCode.UNIMPLEMENTED),
        (b"429", grpc.StatusCode.UNAVAILABLE),
        (b"502", grpc.StatusCode.UNAVAILABLE),
        (b"503", grpc.StatusCode.UNAVAILABLE),
        (b"504", grpc.StatusCode.UNAVAILABLE),
        (b"500", grpc.StatusCode.UNKNOWN),
        (b"204", grpc.StatusCode.UNKNOWN),
        (b"", grpc.StatusCode.UNKNOWN),
        (b"\xff", grpc.StatusCode.UNKNOWN),
    ],
)
def test_response_of_another_http_status_is_its_grpc_status(
    http: bytes, status: grpc.StatusCode
) -> None:
    with pytest.raises(RpcError) as caught:
        check_response({b":status": http, b"content-type": b"application/grpc"})
    assert caught.value.status is status


@pytest.mark.parametrize("content_type", [b"", b"text/html", b"\xff"])
def test_response_of_another_content_type_is_unknown(content_type: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        check_response({b":status": b"200", b"content-type": content_type})
    assert caught.value.status is grpc.StatusCode.UNKNOWN


def test_trailers_with_ok_raise_nothing() -> None:
    check_trailers({b"grpc-status": b"0", b"grpc-message": b"ignored"})


@pytest.mark.parametrize("status", [each for each in grpc.StatusCode if each.value[0]])
def test_trailers_raise_every_status_of_grpc(status: grpc.StatusCode) -> None:
    with pytest.raises(RpcError) as caught:
        check_trailers({b"grpc-status": b"%d" % cast("int", status.value[0])})
    assert (caught.value.status, caught.value.message) == (status, "")


@pytest.mark.parametrize("code", [b"17", b"-1", b"", b"x", b"\xff", b"00"])
def test_trailers_with_no_status_of_grpc_are_unknown(code: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        check_trailers({b"grpc-status": code})
    assert caught.value.status is grpc.StatusCode.UNKNOWN


def test_trailers_without_a_status_are_unknown() -> None:
    with pytest.raises(RpcError) as caught:
        check_trailers({b"grpc-message": b"all is well"})
    assert caught.value.status is grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"no%20such%20model", "no such model"),
        (b"Gr%C3%B6%C3%9Fe %25", "Größe %"),
        (b"100%", "100%"),
        (b"%zz", "%zz"),
        (b"%ff\xfe", "\ufffd\ufffd"),
    ],
)
def test_message_of_trailers_is_decoded_and_never_lost(sent: bytes, message: str) -> None:
    with pytest.raises(RpcError) as caught:
        check_trailers({b"grpc-status": b"5", b"grpc-message": sent})
    assert caught.value.message == message
