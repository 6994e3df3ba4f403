"""The REST routes for admins: experiments, shadows, weights, promotion, rollback, audit.

Each needs a key with the scope `admin`. Changes honour `If-Match` and `If-None-Match: *` (RFC 9110,
13.1), so that two admins do not undo each other without knowing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from gateway.api.admin_request import (
    checked_name,
    checked_number,
    condition_of,
    read_object,
    validated,
)
from gateway.api.admin_schemas import (
    MAX_AUDIT_ENTRIES,
    AuditAnswer,
    OutcomeAnswer,
    RuleAnswer,
    RulesAnswer,
    WeightBody,
    audit_answer,
    rule_answer,
)
from gateway.api.authentication import principal_of
from gateway.api.edge import observation_of
from gateway.api.openapi import admin_answers, rule_request
from gateway.errors import MalformedRequestError, UnknownRuleError
from gateway.identity.principal import Scope, require
from gateway.suggestion import did_you_mean
from gateway.traffic.audit import Actor
from gateway.traffic.stored import MODELS, Kind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gateway.traffic.admin import Outcome, TrafficAdmin
    from gateway.traffic.in_force import Rule
    from gateway.traffic.live import LiveTraffic
    from gateway.traffic.stored import Definition

_PREFIX: Final = "/v1/admin"


class AdminApi:
    """The endpoints, and what they need.

    Args:
        admin: the use cases.
        live: what is in force.
    """

    def __init__(self, admin: TrafficAdmin, live: LiveTraffic) -> None:
        self._admin = admin
        self._live = live

    def routes(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(tags=["administration"], prefix=_PREFIX)
        for kind in Kind:
            self._add_rule_routes(router, kind)
        for action, endpoint, summary in (
            ("weight", self.set_weight, "Set the weight of a variant in an experiment"),
            ("promote", self.promote, "Make a variant the default and end its experiments"),
            ("rollback", self.roll_back, "Take a variant out of all traffic"),
        ):
            model: type[BaseModel] = RuleAnswer if action == "weight" else OutcomeAnswer
            router.add_api_route(
                f"/variants/{{name}}/{action}",
                endpoint,
                methods=["POST"],
                summary=summary,
                response_model=None,
                responses=admin_answers(model),
            )
        router.add_api_route(
            "/audit",
            self.audit,
            summary="Who changed what, newest first",
            response_model=None,
            responses=admin_answers(AuditAnswer),
        )
        return router

    def _add_rule_routes(self, router: APIRouter, kind: Kind) -> None:
        async def list_rules(request: Request) -> Response:
            return self._list(kind, request)

        async def get(name: str, request: Request) -> Response:
            return self._get(kind, name, request)

        async def put(name: str, request: Request) -> Response:
            return await self._put(kind, name, request)

        async def delete(name: str, request: Request) -> Response:
            actor = _actor(request)
            await self._admin.delete((kind, name), condition_of(request), actor)
            return Response(status_code=204)

        async def start(name: str, request: Request) -> Response:
            return await self._set_running(kind, name, request, is_running=True)

        async def stop(name: str, request: Request) -> Response:
            return await self._set_running(kind, name, request, is_running=False)

        all_of_them, one = f"/{kind}s", f"/{kind}s/{{name}}"
        for path, method, endpoint, summary, model in (
            (all_of_them, "GET", list_rules, f"All {kind}s as they are written", RulesAnswer),
            (one, "GET", get, f"One {kind} as it is written", RuleAnswer),
            (one, "PUT", put, f"Write one {kind}", RuleAnswer),
            (one, "DELETE", delete, f"Delete what was written of one {kind}", None),
            (f"{one}/start", "POST", start, f"Start one {kind}", RuleAnswer),
            (f"{one}/stop", "POST", stop, f"Stop one {kind}", RuleAnswer),
        ):
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                summary=summary,
                operation_id=f"{endpoint.__name__}_{kind}",
                response_model=None,
                status_code=204 if model is None else 200,
                responses=admin_answers(model),
                openapi_extra=rule_request(MODELS[kind]) if method == "PUT" else None,
            )

    def _list(self, kind: Kind, request: Request) -> Response:
        _actor(request)
        rules = self._live.in_force.rules
        return _json(
            {"rules": [rule_answer(rule) for key, rule in sorted(rules.items()) if key[0] is kind]}
        )

    def _get(self, kind: Kind, name: str, request: Request) -> Response:
        _actor(request)
        rules = self._live.in_force.rules
        if (rule := rules.get((kind, name))) is None:
            known = [found for each, found in rules if each is kind]
            raise UnknownRuleError(
                f"{kind}_unknown",
                f"There is no {kind} of that name. {did_you_mean(name, known)}",
                field="name",
            )
        return _rule_response(rule)

    async def _put(self, kind: Kind, name: str, request: Request) -> Response:
        actor, condition = _actor(request), condition_of(request)
        value = await read_object(request)
        if value.setdefault("name", name) != name:
            raise MalformedRequestError(
                "name_differs", "name is another than the one in the path.", field="name"
            )
        definition: Definition = validated(MODELS[kind], value)
        return _rule_response(await self._admin.put(definition, condition, actor))

    async def _set_running(
        self, kind: Kind, name: str, request: Request, *, is_running: bool
    ) -> Response:
        actor = _actor(request)
        rule = await self._admin.set_running((kind, name), is_running, condition_of(request), actor)
        return _rule_response(rule)

    async def set_weight(self, name: str, request: Request) -> Response:
        """Needs `experiment` where several running ones have the variant."""
        actor = _actor(request)
        body = validated(WeightBody, await read_object(request))
        rule = await self._admin.set_weight(
            name, body.weight, body.experiment, condition_of(request), actor
        )
        return _rule_response(rule)

    async def promote(self, name: str, request: Request) -> Response:
        """The variant answers all that is in no experiment, and its running experiments end."""
        return _outcome_response(await self._admin.promote(name, _actor(request)))

    async def roll_back(self, name: str, request: Request) -> Response:
        """Its share goes to the other arms, and the default is the one before it."""
        return _outcome_response(await self._admin.roll_back(name, _actor(request)))

    async def audit(
        self,
        request: Request,
        limit: str = "100",
        before: str | None = None,
        target: str | None = None,
    ) -> Response:
        """`before`: an entry's id, for the page that follows it; `target`: of one name alone."""
        _actor(request)
        entries = await self._admin.audit(
            limit=checked_number("limit", limit, 1, MAX_AUDIT_ENTRIES),
            before_id=None if before is None else checked_number("before", before, 1, 2**31 - 1),
            target=None if target is None else checked_name("target", target),
        )
        return _json(audit_answer(entries))


def _actor(request: Request) -> Actor:
    """Lets admins pass alone; first in every endpoint."""
    principal = principal_of(request)
    require(principal, Scope.ADMIN)
    return Actor(principal.key_id, observation_of(request).request_id)


def _rule_response(rule: Rule) -> Response:
    return _json(rule_answer(rule), {"etag": rule.etag})


def _outcome_response(outcome: Outcome) -> Response:
    return _json(
        {
            "variant": outcome.variant,
            "default": outcome.default,
            "stopped": outcome.stopped,
            "emptied": outcome.emptied,
        }
    )


def _json(answer: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(answer).encode(), media_type="application/json", headers=headers)
