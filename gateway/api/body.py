"""Reads the body of an HTTP request within a limit of size and of time.

A body that says it is too large is refused before it is read; one that turns out to be, while it
is. Nothing is spooled to disk.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self, TypeVar

from gateway.api.edge import headers_in
from gateway.api.upload import UPLOAD_KEY
from gateway.errors import (
    ClientDisconnectedError,
    MalformedRequestError,
    PayloadTooLargeError,
    RequestTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.requests import Request

    from gateway.admission.deadline import Deadline
    from gateway.api.upload import Upload

T = TypeVar("T")


class BodyChunks:
    """Iterates over a body as it arrives; what is there whole is one chunk.

    A class, as the event loop keeps book of each generator that is asynchronous.

    Args:
        request: whose body.
        max_body_bytes: largest body.

    Raises:
        PayloadTooLargeError: the body is, or says it is, above the limit.
        ClientDisconnectedError: the body ended early because the client went away.
        MalformedRequestError: the length header is not a number.
    """

    def __init__(self, request: Request, max_body_bytes: int) -> None:
        declared = headers_in(request.scope).get("content-length")
        if declared is not None:
            if not (declared.isascii() and declared.isdigit()):
                raise MalformedRequestError(
                    "content_length_invalid",
                    "Content-Length is not a number.",
                    field="Content-Length",
                )
            if int(declared) > max_body_bytes:
                raise _body_too_large(max_body_bytes, int(declared))
        self._receive = request.receive
        self._max_body_bytes = max_body_bytes
        self._received_bytes = 0
        self._has_more = True

    def __aiter__(self) -> Self:
        """Returns itself: a body is read once."""
        return self

    async def __anext__(self) -> bytes:
        """Waits for the next chunk, which holds at least one byte."""
        while self._has_more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            chunk: bytes = message.get("body", b"")
            self._has_more = message.get("more_body", False)
            self._received_bytes += len(chunk)
            if self._received_bytes > self._max_body_bytes:
                raise _body_too_large(self._max_body_bytes)
            if chunk:
                return chunk
        raise StopAsyncIteration


async def read_body(request: Request, max_body_bytes: int) -> bytes:
    """Returns the whole body. Raises as `BodyChunks` does."""
    return b"".join([chunk async for chunk in BodyChunks(request, max_body_bytes)])


async def received_in_time(
    reading: Coroutine[object, object, T], request: Request, deadline: Deadline
) -> T:
    """Ends the reading of a body when the time of its request is spent.

    Raises:
        RequestTimeoutError: it is: the client was too slow, not the service.
    """
    upload: Upload = request.scope[UPLOAD_KEY]
    if upload.is_complete:  # nobody is waited for, so no clock is wound
        return await reading
    # A client that sends a byte now and then must not hold a place in flight.
    try:
        async with asyncio.timeout(max(0.0, deadline.left_s(time.perf_counter()))):
            return await reading
    except TimeoutError as error:
        raise RequestTimeoutError("body", deadline.budget_s) from error


def _body_too_large(limit_bytes: int, actual_bytes: int | None = None) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        "body_too_large",
        f"The body is larger than {limit_bytes} bytes; send a smaller image or fewer items.",
        field="body",
        limit=limit_bytes,
        actual=actual_bytes,
    )
