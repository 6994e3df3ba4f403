"""The REST routes of results, for everyone who may call the service, and of ramps, for admins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, get_args

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from gateway.api.authentication import principal_of
from gateway.api.edge import observation_of
from gateway.api.openapi import admin_answers, result_answers
from gateway.api.results_answers import results_answer, shadow_outcomes
from gateway.api.results_schemas import RampCommandAnswer, ResultsAnswer
from gateway.errors import UnknownRuleError
from gateway.identity.principal import Scope, require
from gateway.ramping.admin import Command
from gateway.suggestion import did_you_mean
from gateway.traffic.audit import Actor

if TYPE_CHECKING:
    from gateway.ramping.admin import RampAdmin
    from gateway.ramping.results import ResultsReader
    from gateway.routing.plan import Experiment
    from gateway.routing.router import Router
    from gateway.telemetry.shadow_metrics import ShadowMetrics

_SUMMARIES: Final[dict[Command, str]] = {
    "start": "Begin the ramp that an experiment declares, at its first step",
    "pause": "Hold a ramp where it is; guardrails go on",
    "resume": "Go on with a ramp on its step",
    "abort": "End a ramp; the control gets all units",
}


class RampApi:
    """The endpoints, and what they need.

    Args:
        results: reads results.
        admin: the commands.
        router: knows the experiments and which arms get no traffic.
        shadows: what shadows of this process found.
    """

    def __init__(
        self, results: ResultsReader, admin: RampAdmin, router: Router, shadows: ShadowMetrics
    ) -> None:
        self._results = results
        self._admin = admin
        self._router = router
        self._shadows = shadows

    def routes(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter()
        router.add_api_route(
            "/v1/experiments/{name}/results",
            self.results,
            tags=["operation"],
            summary="Is B better? Traffic, accuracy, comparison, guardrails and ramp of one",
            response_model=None,
            responses=result_answers(ResultsAnswer),
        )
        for command in get_args(Command):
            self._add_command(router, command)
        return router

    def _add_command(self, router: APIRouter, command: Command) -> None:
        async def run(name: str, request: Request) -> Response:
            principal = principal_of(request)
            require(principal, Scope.ADMIN)
            actor = Actor(principal.key_id, observation_of(request).request_id)
            record = await self._admin.command(name, command, actor)
            return _json(
                {
                    "experiment": record.experiment,
                    "status": record.status.value,
                    "step": record.state.ramp.step,
                    "share": record.share,
                }
            )

        router.add_api_route(
            f"/v1/admin/experiments/{{name}}/ramp/{command}",
            run,
            methods=["POST"],
            tags=["administration"],
            summary=_SUMMARIES[command],
            operation_id=f"ramp_{command}",
            response_model=None,
            responses=admin_answers(RampCommandAnswer),
        )

    async def results(self, name: str) -> Response:
        """Figures are of all replicas where there is a database, else of this process."""
        results = await self._results.read(self._experiment(name))
        candidates = {each.name: each.candidate for each in self._router.plan.shadows}
        outcomes = shadow_outcomes(self._shadows, candidates)
        return _json(results_answer(results, self._router.gates(), outcomes))

    def _experiment(self, name: str) -> Experiment:
        experiments = {each.name: each for each in self._router.plan.experiments}
        if (found := experiments.get(name)) is not None:
            return found
        raise UnknownRuleError(
            "experiment_unknown",
            f"There is no experiment of that name. {did_you_mean(name, experiments)}",
            field="name",
        )


def _json(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(answer).encode(), media_type="application/json")
