"""Whatever bytes come over the socket: an answer below 500 in time, and the next one too."""

from __future__ import annotations

import base64
import json
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.images import valid_images
from tests.fuzz.mutations import mutants

if TYPE_CHECKING:
    from tests.fuzz.conftest import ServedGateway

HANG_S = 15
"""Three times the budget of a request; the machine may be busy."""

IMPATIENT_S = 0.2

BOUNDARY = b"b0und4ry"
IMAGE = valid_images()["jpeg"]


def _form() -> bytes:
    parts = (
        (b'name="image"; filename="a.jpg"', IMAGE),
        (b'name="text"', b"ein kleiner Igel"),
        (b'name="top_k"', b"3"),
    )
    body = b"".join(
        b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content
        for head, content in ((h, c + b"\r\n") for h, c in parts)
    )
    return body + b"--" + BOUNDARY + b"--\r\n"


def _request(api_key: str, path: bytes, content_type: bytes, body: bytes) -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + content_type
    head += b"\r\nX-Api-Key: " + api_key.encode()
    length = b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\nConnection: close\r\n\r\n"
    return head + length + body


_FORM_TYPE = b"multipart/form-data; boundary=" + BOUNDARY
_ITEM = {"image": base64.b64encode(IMAGE).decode(), "text": "hedgehog", "top_k": 3}
BODIES = {
    "form": (b"/v1/classify", _FORM_TYPE, _form()),
    "json": (b"/v1/classify", b"application/json", json.dumps(_ITEM).encode()),
    "batch": (
        b"/v1/classify:batch",
        b"application/json",
        json.dumps({"items": [_ITEM, {"text": "fox"}]}).encode(),
    ),
}


def _exchange(port: int, raw: bytes, patience_s: float = HANG_S) -> bytes:
    """Sends bytes and returns all that comes back until the server closes or patience ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience_s) as connection:
        received = []
        try:
            connection.sendall(raw)
            while chunk := connection.recv(65_536):
                received.append(chunk)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass  # refused before all of it was read, or it waits for bytes that never come
        return b"".join(received)


def _statuses(answer: bytes) -> list[int]:
    return [int(line[9:12]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def _assert_served(served: ServedGateway) -> None:
    path, content_type, body = BODIES["form"]
    assert _statuses(
        _exchange(served.port, _request(served.api_key, path, content_type, body))
    ) == [200]
    assert served.internal_errors() == []
    assert served.in_flight() == 0


@pytest.mark.parametrize("name", BODIES)
def test_body_that_is_a_mutant_is_answered_below_500(name: str, served: ServedGateway) -> None:
    path, content_type, body = BODIES[name]

    @given(mutants({name: body}))
    def send(mutant: bytes) -> None:
        (status,) = _statuses(
            _exchange(served.port, _request(served.api_key, path, content_type, mutant))
        )
        assert status < 500

    send()
    _assert_served(served)


@pytest.mark.parametrize("name", BODIES)
def test_request_whose_bytes_are_mutants_never_hangs(name: str, served: ServedGateway) -> None:
    # Head and body alike. What is no HTTP any more may be answered by a close alone, and what lacks
    # bytes is left waiting: it must hold nothing once its sender is gone.
    @given(mutants({name: _request(served.api_key, *BODIES[name])}))
    def send(mutant: bytes) -> None:
        answer = _exchange(served.port, mutant, IMPATIENT_S)
        assert all(status < 500 for status in _statuses(answer))

    send()
    _assert_served(served)


@given(content_type=st.text(max_size=200).map(lambda text: text.encode("latin-1", "ignore")))
def test_content_type_of_any_bytes_is_answered_below_500(
    content_type: bytes, served: ServedGateway
) -> None:
    plain = bytes(byte for byte in content_type if byte not in b"\r\n\x00")

    for each in (plain, b"multipart/form-data; " + plain, _FORM_TYPE + plain):
        answer = _exchange(
            served.port, _request(served.api_key, b"/v1/classify", each, BODIES["form"][2])
        )
        assert all(status < 500 for status in _statuses(answer))
