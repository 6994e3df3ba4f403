"""The edge that every HTTP request passes: request id, span, metrics, log, errors to problems.

Plain ASGI: Starlette's `BaseHTTPMiddleware` runs each request in a task and copies its messages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from gateway.api.http_protocol import ARRIVED_KEY
from gateway.api.observation import Observation, request_id_from
from gateway.api.problems import MEDIA_TYPE, Problem, routing_problem
from gateway.api.request_span import UNMATCHED, begin_http_span
from gateway.api.security_headers import ON_EVERY_ANSWER
from gateway.errors import ClientDisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.api.access_log import AccessLog

_SCOPE_KEY: Final = "diptych.observation"
_HEADERS_KEY: Final = "diptych.headers"
_CLIENT_CLOSED: Final = "499"


def observation_of(request: Request) -> Observation:
    """Returns what is noted of a request; there for every request that passed the edge."""
    return observation_in(request.scope)


def observation_in(scope: Scope) -> Observation:
    """Returns what is noted of the request of an ASGI scope."""
    observation: Observation = scope[_SCOPE_KEY]
    return observation


def headers_in(scope: Scope) -> Mapping[str, str]:
    """Returns the headers of a request that passed the edge.

    They were decoded once for all who look at them: by name in lower case, of equal names the last.
    """
    headers: Mapping[str, str] = scope[_HEADERS_KEY]
    return headers


class Edge:
    """ASGI middleware around all routes.

    Args:
        app: the application within.
        access_log: where requests end, and what is wrong with them is counted.
        is_draining: whether the process is shutting down; answers then close their connection, so
            that clients go elsewhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        access_log: AccessLog,
        is_draining: Callable[[], bool],
    ) -> None:
        self._app = app
        self._access_log = access_log
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = request_id_from(sent.get("x-request-id"))
        observation = Observation(request_id, scope["method"], UNMATCHED)
        observation.arrived_s = scope.get(ARRIVED_KEY, observation.arrived_s)
        observation.span = begin_http_span(
            self._access_log.tracer, observation, scope["path"], scope["scheme"], sent
        )
        scope[_SCOPE_KEY] = observation
        scope[_HEADERS_KEY] = sent
        status: int | None = None

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.setdefault("headers", [])
                headers.append((b"x-request-id", request_id.encode("ascii")))
                headers += ON_EVERY_ANSWER
                if self._is_draining():
                    headers.append((b"connection", b"close"))
            await send(message)

        try:
            with observation.span:
                await self._app(scope, receive, send_noted)
        except ClientDisconnectedError as error:
            observation.error_code = error.code
        except Exception as error:  # noqa: BLE001 - the process's edge: nothing may pass
            problem = self._note(observation, error)
            if status is None:
                # RFC 9110, 10.1.1: whether the body still comes after this answer is the client's
                # choice, so the connection cannot be used again.
                is_last = "expect" in sent
                await _send_problem(problem, error, send_noted, is_last=is_last)
        finally:
            if (route := scope.get("route")) is not None:
                observation.route = route.path
            self._access_log.finish(observation, _CLIENT_CLOSED if status is None else str(status))

    def _note(self, observation: Observation, error: Exception) -> Problem:
        if not isinstance(error, HTTPException):
            return observation.note_error(error, self._access_log.metrics)
        problem = routing_problem(error.status_code, error.detail, observation.request_id)
        observation.error_code = problem.code
        return problem


async def _send_problem(problem: Problem, error: Exception, send: Send, *, is_last: bool) -> None:
    body = json.dumps(problem.to_json()).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", str(problem.retry_after_s).encode()))
    if problem.challenge is not None:
        headers.append((b"www-authenticate", problem.challenge.encode()))
    if is_last:
        headers.append((b"connection", b"close"))
    if isinstance(error, HTTPException) and error.headers:  # Allow, of a 405
        headers += [(k.lower().encode(), v.encode()) for k, v in error.headers.items()]
    await send({"type": "http.response.start", "status": problem.kind.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
