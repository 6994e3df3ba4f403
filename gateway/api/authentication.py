"""Finds the caller's key in a request, and lets in only who has one, where one is needed.

Plain ASGI, inside the edge and before the gate. It says who calls; what they may do, each route
asks with `require`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.api.caller import API_KEY
from gateway.api.edge import headers_in, observation_in
from gateway.api.pages.files import PAGE_PATHS
from gateway.errors import UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.identity.key_ring import KeyRing
    from gateway.identity.principal import Principal

OPEN_PATHS: Final = PAGE_PATHS | {"/docs", "/livez", "/metrics", "/openapi.json", "/readyz"}
"""What everyone may read: probes, metrics and pages. They hold no payload and no key; what a page
shows of the service it asks for itself, with the key that a person gives it."""

_AUTHORIZATION: Final = "authorization"
_BEARER: Final = "bearer "
_SCOPE_KEY: Final = "diptych.principal"


def key_in(said: Mapping[str, str]) -> str | None:
    """Returns the API key that a caller sent, or None.

    Args:
        said: headers or metadata by name in lower case. `x-api-key` counts before `authorization`,
            which a proxy may use for itself.
    """
    if (key := said.get(API_KEY)) is not None:
        return key
    authorization = said.get(_AUTHORIZATION, "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return None


def principal_of(request: Request) -> Principal:
    """Returns who sent a request."""
    return principal_in(request.scope)


def principal_in(scope: Scope) -> Principal:
    """Returns who sent the request of an ASGI scope."""
    principal: Principal = scope[_SCOPE_KEY]
    return principal


class Authentication:
    """ASGI middleware around the gate and the routes.

    Args:
        app: the application within.
        key_ring: knows the keys.
    """

    def __init__(self, app: ASGIApp, key_ring: KeyRing) -> None:
        self._app = app
        self._key_ring = key_ring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request.

        Raises:
            UnauthenticatedError: it needs a key and has none that is good.
        """
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            principal = self._key_ring.authenticate(key_in(headers_in(scope)))
            if not principal.scopes:
                raise UnauthenticatedError.missing()
            scope[_SCOPE_KEY] = principal
            observation_in(scope).key_id = principal.key_id
        await self._app(scope, receive, send)
