"""Admission in front of the routes that classify: what cannot be done is refused by its head alone.

Plain ASGI, inside the edge and before FastAPI. A refused request's body is never asked for: uvicorn
reads what was already sent and drops it, so that the connection can be used again, and a client
that waits for `100 Continue` never sends it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.admission.deadline import Deadline
from gateway.api.authentication import principal_in
from gateway.api.caller import arrival_of
from gateway.api.edge import headers_in, observation_in
from gateway.identity.principal import Scope as AccessScope
from gateway.identity.principal import require

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.admission.ticket import Ticket
    from gateway.api.entrance import Entrance

CLASSIFY_PATH: Final = "/v1/classify"
BATCH_PATH: Final = "/v1/classify:batch"

_SCOPE_KEY: Final = "diptych.ticket"


def ticket_of(request: Request) -> Ticket:
    """Returns the place of a request that passed the gate."""
    ticket: Ticket = request.scope[_SCOPE_KEY]
    return ticket


class Gate:
    """ASGI middleware around the routes.

    Args:
        app: the application within.
        entrance: decides.
        batch_budget_s: time from arrival to answer of a batch, in seconds: many items take longer
            than the one of a single request.
    """

    def __init__(self, app: ASGIApp, entrance: Entrance, batch_budget_s: float) -> None:
        self._app = app
        self._entrance = entrance
        self._batch_budget_s = batch_budget_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request.

        Raises:
            AccessError: its caller has no key that allows it.
            AdmissionRefusedError: it is not let in.
            MalformedRequestError: a header of ours cannot be read.
        """
        if scope["type"] != "http" or not _is_gated(scope):
            await self._app(scope, receive, send)
            return
        observation = observation_in(scope)
        observation.route = scope["path"]
        principal = principal_in(scope)
        require(principal, AccessScope.CLASSIFY)
        if scope["path"] == BATCH_PATH:
            deadline = Deadline(observation.arrived_s, self._batch_budget_s)
        else:
            deadline = self._entrance.admission.deadline(observation.arrived_s)
        peer = (scope.get("client") or ("",))[0]
        arrival = arrival_of(headers_in(scope), deadline, principal, peer)
        if scope["path"] == BATCH_PATH:  # its items are many: a place for one would not be enough
            arrival = replace(arrival, allows_degraded=False)
        with self._entrance.admit(principal, arrival) as ticket:
            scope[_SCOPE_KEY] = ticket
            await self._app(scope, receive, send)


def _is_gated(scope: Scope) -> bool:
    return scope["path"] in {CLASSIFY_PATH, BATCH_PATH} and scope["method"] == "POST"
