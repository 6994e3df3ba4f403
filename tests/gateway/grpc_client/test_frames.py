from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hyperframe.frame import Frame as OtherFrame
from hypothesis import given
from hypothesis import strategies as st

from gateway.grpc_client import frames
from gateway.grpc_client.errors import ErrorCode, ProtocolError
from gateway.grpc_client.frames import Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAMES = st.builds(
    Frame,
    kind=st.integers(0, 255),
    flags=st.integers(0, 255),
    stream_id=st.integers(0, frames.MAX_STREAM_ID),
    payload=st.binary(max_size=64) | st.just(b"x" * frames.DEFAULT_FRAME_BYTES),
)


def written(frame: Frame) -> bytes:
    return frames.head(len(frame.payload), *frame[:3]) + frame.payload


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(each % (len(data) + 1) for each in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def read_back(data: bytes) -> OtherFrame:
    """Reads one frame, with another's eyes."""
    frame, size = OtherFrame.parse_frame_header(memoryview(data[:9]))
    frame.parse_body(memoryview(data[9:]))
    assert len(data) == 9 + size
    return frame


@given(sent=st.lists(FRAMES, max_size=5), places=st.lists(st.integers(0, 2**20), max_size=8))
def test_reader_gives_the_same_frames_however_they_are_cut(
    sent: list[Frame], places: list[int]
) -> None:
    reader = FrameReader()
    pieces = cut(b"".join(map(written, sent)), places)
    assert [frame for piece in pieces for frame in reader.read(piece)] == sent


def test_reader_gives_frames_that_come_byte_by_byte() -> None:
    sent = [Frame(1, 4, 3, b"abc"), Frame(0, 1, 3, b""), Frame(9, 0, 5, b"d")]
    reader = FrameReader()
    data = b"".join(map(written, sent))
    pieces = [data[i : i + 1] for i in range(len(data))]
    assert [frame for piece in pieces for frame in reader.read(piece)] == sent


def test_reader_gives_a_frame_as_soon_as_it_is_complete() -> None:
    reader = FrameReader()
    data = written(Frame(0, 0, 1, b"abc"))
    assert list(reader.read(data[:-1])) == []
    assert [each.payload for each in reader.read(data[-1:] + data[:4])] == [b"abc"]


def test_reader_ignores_the_reserved_bit_of_a_stream() -> None:
    assert [each.stream_id for each in FrameReader().read(frames.head(0, 0, 0, 2**31 + 7))] == [7]


def test_reader_refuses_a_large_frame_before_it_is_there() -> None:
    reader = FrameReader()
    head = frames.head(frames.DEFAULT_FRAME_BYTES + 1, frames.DATA, 0, 1)
    with pytest.raises(ProtocolError) as caught:
        list(reader.read(head))
    assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_head_of_the_largest_frame_is_read_by_others() -> None:
    frame, size = OtherFrame.parse_frame_header(
        memoryview(frames.head(frames.MAX_FRAME_BYTES, frames.DATA, frames.END_STREAM, 2**31 - 1))
    )
    assert (size, frame.stream_id, set(frame.flags)) == (2**24 - 1, 2**31 - 1, {"END_STREAM"})


def test_settings_are_read_by_others() -> None:
    frame = read_back(frames.settings([(frames.ENABLE_PUSH, 0), (frames.INITIAL_WINDOW_SIZE, 9)]))
    assert isinstance(frame, SettingsFrame)
    assert frame.settings == {SettingsFrame.ENABLE_PUSH: 0, SettingsFrame.INITIAL_WINDOW_SIZE: 9}
    assert "ACK" not in frame.flags


def test_settings_ack_is_read_by_others() -> None:
    frame = read_back(frames.settings_ack())
    assert isinstance(frame, SettingsFrame)
    assert "ACK" in frame.flags


def test_window_update_is_read_by_others() -> None:
    frame = read_back(frames.window_update(frames.MAX_WINDOW))
    assert isinstance(frame, WindowUpdateFrame)
    assert (frame.stream_id, frame.window_increment) == (0, 2**31 - 1)


def test_reset_is_read_by_others() -> None:
    frame = read_back(frames.reset(5, ErrorCode.CANCEL))
    assert isinstance(frame, RstStreamFrame)
    assert (frame.stream_id, frame.error_code) == (5, 8)


@pytest.mark.parametrize("is_ack", [False, True])
def test_ping_is_read_by_others(is_ack: bool) -> None:
    frame = read_back(frames.ping(b"12345678", is_ack=is_ack))
    assert isinstance(frame, PingFrame)
    assert (frame.opaque_data, "ACK" in frame.flags) == (b"12345678", is_ack)


def test_goaway_is_read_by_others() -> None:
    frame = read_back(frames.goaway(ErrorCode.COMPRESSION_ERROR))
    assert isinstance(frame, GoAwayFrame)
    assert (frame.last_stream_id, frame.error_code) == (0, 9)


def read(data: bytes) -> Frame:
    (frame,) = FrameReader().read(data)
    return frame


@given(data=st.binary(max_size=40), pad_bytes=st.none() | st.integers(0, 255))
def test_content_of_data_is_without_padding(data: bytes, pad_bytes: int | None) -> None:
    frame = DataFrame(1, data)
    if pad_bytes is not None:
        frame.flags.add("PADDED")
        frame.pad_length = pad_bytes
    assert frames.content(read(frame.serialize())) == data


@given(data=st.binary(max_size=40), pad_bytes=st.none() | st.integers(0, 255))
def test_content_of_headers_is_without_padding_and_priority(
    data: bytes, pad_bytes: int | None
) -> None:
    frame = HeadersFrame(1, data, flags=["PRIORITY"], depends_on=0, stream_weight=3)
    if pad_bytes is not None:
        frame.flags.add("PADDED")
        frame.pad_length = pad_bytes
    assert frames.content(read(frame.serialize())) == data


def test_content_of_data_knows_no_priority() -> None:
    assert frames.content(Frame(frames.DATA, frames.PRIORITY, 1, b"abcdefg")) == b"abcdefg"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(frames.DATA, frames.PADDED, 1, b""), ErrorCode.FRAME_SIZE_ERROR),
        (Frame(frames.DATA, frames.PADDED, 1, b"\x01"), ErrorCode.PROTOCOL_ERROR),
        (Frame(frames.DATA, frames.PADDED, 1, b"\x04abc"), ErrorCode.PROTOCOL_ERROR),
        (Frame(frames.HEADERS, frames.PRIORITY, 1, b"abcd"), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_content_shorter_than_what_is_around_it_is_refused(frame: Frame, code: ErrorCode) -> None:
    with pytest.raises(ProtocolError) as caught:
        frames.content(frame)
    assert caught.value.code == code


def test_content_may_be_padding_alone() -> None:
    assert frames.content(Frame(frames.DATA, frames.PADDED, 1, b"\x03\0\0\0")) == b""


@pytest.mark.parametrize("payload", [b"", b"123", b"12345"])
def test_number_of_another_size_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        frames.number(Frame(frames.RST_STREAM, 0, 1, payload))
    assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


@pytest.mark.parametrize("debug", [b"", b"too_many_pings"])
def test_last_stream_is_read_with_and_without_debug_data(debug: bytes) -> None:
    frame = read(GoAwayFrame(0, 7, 11, debug).serialize())
    assert frames.last_stream(frame) == (7, 11)


def test_last_stream_ignores_the_reserved_bit() -> None:
    frame = Frame(frames.GOAWAY, 0, 0, b"\x80\0\0\x07\0\0\0\0")
    assert frames.last_stream(frame) == (7, 0)


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)), max_size=6))
def test_values_are_those_that_were_written(values: list[tuple[int, int]]) -> None:
    assert frames.values(read(frames.settings(values))) == values
