"""The bytes of a classification request over HTTP/1.1, and of its answer.

Requests are built once and sent many times: a client that shares the cores with the server under
load must cost next to nothing, and a general HTTP library costs milliseconds of CPU a request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from loadtest.bench.corpus import Example

PATH: Final = "/v1/classify"

_BOUNDARY: Final = "diptych-bench-2f1d9c7a4e"
_HEADER_END: Final = b"\r\n\r\n"
_LENGTH_HEADER: Final = b"\r\ncontent-length:"


class MalformedAnswerError(ValueError):
    """What came back is no HTTP/1.1 answer with a length."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: the HTTP status.
        body: as it was sent.
    """

    status: int
    body: bytes

    @property
    def label(self) -> str | None:
        """The label of a classification; None when the body is something else."""
        return self._member("label")

    @property
    def code(self) -> str | None:
        """The code of a problem; None when the body is something else."""
        return self._member("code")

    def _member(self, name: str) -> str | None:
        try:
            fields = json.loads(self.body)
        except ValueError:
            return None
        value = fields.get(name) if isinstance(fields, dict) else None
        return value if isinstance(value, str) else None


def multipart_request(example: Example, host: str) -> bytes:
    """Builds the request that uploads a photo and a sentence as a form (RFC 7578).

    Args:
        example: what is to be classified.
        host: value of the Host header.
    """
    body = b"".join(
        (
            f"--{_BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n".encode(),
            example.photo,
            f"\r\n--{_BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="text"\r\n\r\n'
            f"{example.sentence}\r\n--{_BOUNDARY}--\r\n".encode(),
        )
    )
    head = (
        f"POST {PATH} HTTP/1.1\r\n"
        f"Host: {host}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def parse_answer(received: bytes) -> Answer | None:
    """Reads the one answer that a connection without pipelining can hold.

    Args:
        received: all that came since the request was sent.

    Returns:
        The answer, or None while it is not complete.

    Raises:
        MalformedAnswerError: it has no status or no length, or more follows than was announced.
    """
    header_bytes = received.find(_HEADER_END)
    if header_bytes < 0:
        return None
    header = received[:header_bytes].lower()
    length_at = header.find(_LENGTH_HEADER)
    if not header.startswith(b"http/1.1 ") or length_at < 0:
        raise MalformedAnswerError(header[:80].decode("latin-1"))
    try:
        status = int(header[9:12])
        length = int(header[length_at + len(_LENGTH_HEADER) :].partition(b"\r\n")[0])
    except ValueError as error:
        raise MalformedAnswerError(header[:80].decode("latin-1")) from error
    body = received[header_bytes + len(_HEADER_END) :]
    if len(body) > length:
        raise MalformedAnswerError(f"{len(body)} bytes of a body of {length}")
    return Answer(status, body) if len(body) == length else None
