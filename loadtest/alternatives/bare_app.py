"""An ASGI application that does nothing of its own: what a server of HTTP costs is left.

`POST /answer` reads the body, waits as long as a Triton may take, and answers as long a JSON as a
classification is. `POST /refuse` answers at once and does not look at the body.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_WAIT_S: Final = 0.02
_ANSWER: Final = b'{"label": "' + b"x" * 1400 + b'"}'
_REFUSAL: Final = b'{"code": "overloaded"}'


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serves one request, or the life of the process."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["path"] == "/refuse":
        await _respond(send, 429, _REFUSAL)
    else:
        while (await receive()).get("more_body", False):
            pass
        await asyncio.sleep(_WAIT_S)
        await _respond(send, 200, _ANSWER)


async def _live(receive: Receive, send: Send) -> None:
    is_running = True
    while is_running:
        event = (await receive())["type"]
        is_running = not event.endswith("shutdown")
        await send({"type": f"{event}.complete"})


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
