"""What became of each request, and how an answer of the REST API is judged by its own schema.

The schema is `/openapi.json` of the service under test: what it says of itself is what it is held
to, of whatever version it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import jsonschema_rs

from loadtest.traffic.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFUSED_STATUSES: Final = frozenset({429})


class Outcome(StrEnum):
    """How a request ended."""

    RIGHT = "right"
    REFUSED = "refused"
    INVALID = "invalid"
    FAILED = "failed"
    MISSING = "missing"


class Reply(NamedTuple):
    """One request and what became of it; a plain tuple, as it travels between processes.

    Attributes:
        due_s: when it was due, from the begin of the run, in seconds.
        late_s: how much later it left: the sender's own lateness, which counts in the latency.
        latency_s: from when it was due to its answer.
        protocol: how it was sent.
        modalities: what it held.
        outcome: how it ended.
        what: status, code or error, for people; empty when all was right.
    """

    due_s: float
    late_s: float
    latency_s: float
    protocol: str
    modalities: str
    outcome: str
    what: str


class Judgement(NamedTuple):
    """How an answer is judged."""

    outcome: Outcome
    what: str


RIGHT: Final = Judgement(Outcome.RIGHT, "")


class _Validator(Protocol):
    def is_valid(self, instance: object) -> bool: ...

    def iter_errors(self, instance: object) -> Any: ...  # noqa: ANN401  # of a compiled package


@dataclass(frozen=True)
class RestJudge:
    """Validates answers by the service's own schema."""

    answers: Mapping[str, _Validator]
    problem: _Validator

    @classmethod
    def of(cls, document: bytes, target: str) -> RestJudge:
        """Reads an OpenAPI document.

        Args:
            document: `/openapi.json`.
            target: whose, for the error.

        Raises:
            TargetError: it describes no classification.
        """
        try:
            openapi = json.loads(document)
            answers = {
                path: _validator(openapi, _answer_schema(openapi, path))
                for path in ("/v1/classify", "/v1/classify:batch")
            }
            problem = {"$ref": "#/components/schemas/ProblemBody"}
            return cls(answers, _validator(openapi, problem))
        except (ValueError, KeyError, TypeError, jsonschema_rs.ReferencingError) as error:
            reason = f"its /openapi.json cannot be used: {type(error).__name__} {error}"
            raise TargetError(target, reason) from error

    def judge(self, path: str, status: int, body: bytes) -> Judgement:
        """Says what an answer is worth."""
        try:
            fields = json.loads(body)
        except ValueError:
            return Judgement(Outcome.INVALID, f"{status}, no JSON")
        if status != 200:
            if not self.problem.is_valid(fields):
                return Judgement(Outcome.INVALID, f"{status}, no problem of the schema")
            return _refused_or_failed(status, str(fields["code"]))
        if not (validator := self.answers[path]).is_valid(fields):
            error = next(iter(validator.iter_errors(fields)))
            return Judgement(Outcome.INVALID, f"200, {str(error).splitlines()[0][:120]}")
        for item in fields.get("items", ()):
            if (problem := item.get("problem")) is not None:
                return _refused_or_failed(problem["status"], f"item {problem['code']}")
        return RIGHT


def _refused_or_failed(status: int, code: str) -> Judgement:
    outcome = Outcome.REFUSED if status in _REFUSED_STATUSES else Outcome.FAILED
    return Judgement(outcome, f"{status} {code}")


def _answer_schema(openapi: Mapping[str, Any], path: str) -> object:
    operation = openapi["paths"][path]["post"]
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


def _validator(openapi: Mapping[str, Any], schema: object) -> _Validator:
    # References of an OpenAPI document begin at its root, so its components come along.
    whole = {"allOf": [schema], "components": openapi["components"]}
    return jsonschema_rs.Draft202012Validator(whole)
