"""Errors that leave FastAPI, those of requests that no route takes among them."""

from __future__ import annotations

from http import HTTPMethod, HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from starlette.exceptions import HTTPException
from starlette.routing import Match

if TYPE_CHECKING:
    from starlette.requests import Request


async def pass_to_edge(request: Request, error: Exception) -> NoReturn:
    """Keeps Starlette from answering 404, 405 and 500: the edge makes problems of all errors.

    A 405 names in `Allow` all methods of its path (RFC 9110, 15.5.6); Starlette names those of the
    first of its routes.
    """
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = sorted(method for method in HTTPMethod if _is_routed(request, method))
        error.headers = {"Allow": ", ".join(methods)}
    raise error


def _is_routed(request: Request, method: HTTPMethod) -> bool:
    scope = {**request.scope, "method": method.value}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
