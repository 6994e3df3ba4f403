"""The request as a real form parser reads it, the answer as a socket delivers it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from loadtest.bench.corpus import Example
from loadtest.bench.http_messages import (
    Answer,
    MalformedAnswerError,
    multipart_request,
    parse_answer,
)

if TYPE_CHECKING:
    from starlette.types import Message

PHOTO = b"\xff\xd8 a photo \r\n--with \x00 bytes \xff\xd9"


def test_multipart_request_a_form_parser_finds_both_parts() -> None:
    head, _, body = multipart_request(Example(PHOTO, "Grüße am See.", 5), "h:1").partition(
        b"\r\n\r\n"
    )
    first, *lines = head.split(b"\r\n")
    names_and_values = (line.partition(b": ") for line in lines)
    headers = [(name.lower(), value) for name, _, value in names_and_values]

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def read() -> tuple[bytes, object]:
        request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
        async with request.form() as form:
            image = form["image"]
            assert not isinstance(image, str)
            return await image.read(), form["text"]

    assert first == b"POST /v1/classify HTTP/1.1"
    assert dict(headers)[b"content-length"] == str(len(body)).encode()
    assert asyncio.run(read()) == (PHOTO, "Grüße am See.")


def test_parse_answer_in_pieces_is_none_until_it_is_whole() -> None:
    whole = b'HTTP/1.1 200 OK\r\nServer: x\r\nCONTENT-LENGTH: 14\r\n\r\n{"label": "a"}'

    assert all(parse_answer(whole[:end]) is None for end in range(len(whole)))
    answer = parse_answer(whole)
    assert answer == Answer(200, b'{"label": "a"}')
    assert answer.label == "a"


@pytest.mark.parametrize(
    "received",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
    ],
)
def test_parse_answer_malformed_is_refused(received: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        parse_answer(received)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"label": 3}', b'{"title": "Overloaded"}', b"\xff"])
def test_answer_without_a_label_has_none(body: bytes) -> None:
    assert Answer(200, body).label is None
