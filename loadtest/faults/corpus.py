"""The requests of the bench: small, each with an image and a text, all different."""

from __future__ import annotations

from typing import Final

from loadtest.bench.corpus import Example
from loadtest.bench.http_messages import multipart_request

_COUNT: Final = 64
_PHOTO_BYTES: Final = 4096


def make_requests(address: tuple[str, int]) -> tuple[bytes, ...]:
    """Builds whole HTTP requests for a gateway at an address."""
    host = f"{address[0]}:{address[1]}"
    return tuple(
        multipart_request(
            Example(bytes([number]) * _PHOTO_BYTES, f"request {number}", tokens=2), host
        )
        for number in range(_COUNT)
    )
