"""The REST routes of label sets: labels registered once, and used by name.

Who may change them: callers with the scope `admin`, as a set is everybody's. On loopback without
keys there are no admins, and everyone may: a page in a browser cannot send PUT or DELETE here
without asking first, which is never allowed.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from gateway.admission.arrival import Arrival, Priority
from gateway.admission.deadline import Deadline
from gateway.api.authentication import principal_of
from gateway.api.body import read_body, received_in_time
from gateway.api.caller import client_name
from gateway.api.edge import observation_of
from gateway.api.json_body import ENVELOPE_BYTES, parse, templates_of, validate
from gateway.api.label_work import TicketLabelWork, label_kind, label_places
from gateway.api.openapi import label_set_answers, label_set_request
from gateway.api.schemas import LabelSetAnswer, LabelSetBody, LabelSetsAnswer
from gateway.contract.manifest import VariantKind
from gateway.errors import GatewayError, MalformedRequestError
from gateway.identity.principal import Scope, require
from gateway.zero_shot.embeddings import LabelAsker
from gateway.zero_shot.label_sets import NAME_PATTERN, Change, LabelSet
from gateway.zero_shot.query import to_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.api.entrance import Entrance
    from gateway.catalog import Catalog, Variant
    from gateway.zero_shot.embeddings import LabelEmbeddings
    from gateway.zero_shot.label_sets import LabelSets
    from gateway.zero_shot.query import LabelLimits

LABEL_SETS_PATH: Final = "/v1/label-sets"
_ONE: Final = LABEL_SETS_PATH + "/{name}"


class LabelSetsApi:
    """The endpoints, and what they need.

    Args:
        label_sets: where they are kept.
        embeddings: embeds the labels of a new set, so that no classification has to wait.
        catalog: returns what is served now.
        entrance: says whether embedding has room.
        limits: of labels.
        budget_s: longest time that embedding a new set may take, in seconds.
    """

    def __init__(
        self,
        label_sets: LabelSets,
        embeddings: LabelEmbeddings,
        catalog: Callable[[], Catalog],
        entrance: Entrance,
        limits: LabelLimits,
        *,
        budget_s: float,
    ) -> None:
        self._label_sets = label_sets
        self._embeddings = embeddings
        self._catalog = catalog
        self._entrance = entrance
        self._limits = limits
        self._budget_s = budget_s

    def routes(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(tags=["label sets"])
        one, every = label_set_answers(LabelSetAnswer), label_set_answers(LabelSetsAnswer)
        router.add_api_route(
            LABEL_SETS_PATH,
            self.list,
            response_model=None,
            responses=every,
            summary="All label sets",
        )
        router.add_api_route(
            _ONE, self.get, response_model=None, responses=one, summary="One label set"
        )
        router.add_api_route(
            _ONE,
            self.put,
            methods=["PUT"],
            response_model=None,
            responses={**one, 201: {"model": LabelSetAnswer, "description": "Registered"}},
            openapi_extra=label_set_request(),
            summary="Register labels under a name, or replace them",
        )
        router.add_api_route(
            _ONE,
            self.delete,
            methods=["DELETE"],
            status_code=204,
            response_model=None,
            responses=label_set_answers(None),
            summary="Forget a label set",
        )
        return router

    async def list(self, request: Request) -> Response:
        """What can be named in `label_set`."""
        require(principal_of(request), Scope.CLASSIFY)
        found = await self._label_sets.list()
        return _json_response({"label_sets": [self._answer(each) for each in found]})

    async def get(self, request: Request, name: str) -> Response:
        """Its labels, and for which variants they are embedded already."""
        require(principal_of(request), Scope.CLASSIFY)
        return _json_response(self._answer(await self._label_sets.get(name)))

    async def put(self, request: Request, name: str) -> Response:
        """Its labels are embedded at once, as far as there is room; else by the first request."""
        self._require_admin(request)
        if not re.fullmatch(NAME_PATTERN, name):
            raise MalformedRequestError(
                "label_set_name_invalid",
                "The name of a label set is 1 to 63 lower-case letters, digits, - and _, and "
                "begins with a letter or a digit.",
                field="name",
                limit=63,
            )
        reading = read_body(request, 3 * self._limits.max_bytes + ENVELOPE_BYTES)
        deadline = Deadline(time.perf_counter(), self._budget_s)
        body = await received_in_time(reading, request, deadline)
        fields = validate(LabelSetBody, parse(body))
        templates = templates_of(fields.prompt_template)
        label_set = LabelSet(name, to_query(fields.labels, templates, self._limits))
        is_new = await self._label_sets.put(label_set, _change(request))
        for variant in self._dual_towers():
            await self._embed(label_set, variant, request)
        return _json_response(self._answer(label_set), status=201 if is_new else 200)

    async def delete(self, request: Request, name: str) -> Response:
        """Requests that name it are refused from then on."""
        self._require_admin(request)
        await self._label_sets.delete(name, _change(request))
        return Response(status_code=204)

    def _require_admin(self, request: Request) -> None:
        is_enforced = self._entrance.key_ring.is_enforced
        require(principal_of(request), Scope.ADMIN if is_enforced else Scope.CLASSIFY)

    async def _embed(self, label_set: LabelSet, variant: Variant, request: Request) -> None:
        """Embeds labels where there is room for it; where not, the first request will."""
        prompts = self._embeddings.fresh(label_set.query, variant)
        if not prompts:
            return
        principal, kind = principal_of(request), label_kind(variant.name)
        deadline = Deadline(time.perf_counter(), self._budget_s)
        client = client_name(principal, request.client.host if request.client else "")
        arrival = Arrival(deadline, Priority.BATCH, client, principal.weight)
        try:
            with self._entrance.admission.admit(arrival, kind) as ticket:
                ticket.start([kind] * prompts, label_places(prompts))
                work = TicketLabelWork(ticket, kind)
                asker = LabelAsker(deadline, observation_of(request).request_id, None, work)
                await self._embeddings.embed(label_set.query, variant, asker)
        except GatewayError:
            return  # the answer's `embedded_for` says so

    def _dual_towers(self) -> Iterator[Variant]:
        for variant in self._catalog().variants.values():
            if variant.kind is VariantKind.DUAL_TOWER:
                yield variant

    def _answer(self, label_set: LabelSet) -> dict[str, Any]:
        return {
            "name": label_set.name,
            "labels": list(label_set.query.labels),
            "prompt_template": list(label_set.query.templates),
            "is_persistent": self._label_sets.is_persistent,
            "embedded_for": sorted(
                variant.name
                for variant in self._dual_towers()
                if not self._embeddings.fresh(label_set.query, variant)
            ),
        }


def _change(request: Request) -> Change:
    return Change(principal_of(request).key_id, observation_of(request).request_id)


def _json_response(answer: dict[str, Any], status: int = 200) -> Response:
    content = json.dumps(answer, ensure_ascii=False).encode()
    return Response(content, status, media_type="application/json")
