"""Answers the routes that carry the load without FastAPI, which still documents them.

Plain ASGI, inside the gate. Between a path and its function FastAPI has eight layers: matching,
dependencies, exit stacks, wrapped errors. A route that reads its own body and makes its own answer
uses none of them; they cost as much as reading the upload (decision 26).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    Endpoint = Callable[[Request], Awaitable[Response]]


class DirectRoutes:
    """ASGI middleware around FastAPI.

    Args:
        app: FastAPI, for all other routes and methods.
        posts: what answers a POST, by path.
    """

    def __init__(self, app: ASGIApp, posts: Mapping[str, Endpoint]) -> None:
        self._app = app
        self._posts = posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        endpoint = None
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint = self._posts.get(scope["path"])
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)
