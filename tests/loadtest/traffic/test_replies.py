"""Answers are judged by the schema that the gateway publishes of itself."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from loadtest.traffic.errors import TargetError
from loadtest.traffic.replies import Outcome, RestJudge
from tests.loadtest.traffic.described import ANSWER, PROBLEM, openapi

ONE, BATCH = "/v1/classify", "/v1/classify:batch"


@cache
def judge() -> RestJudge:
    return RestJudge.of(json.dumps(openapi()).encode(), "http://here")


def outcome(path: str, status: int, fields: object) -> Outcome:
    return judge().judge(path, status, json.dumps(fields).encode()).outcome


def test_answer_of_the_schema_is_right_and_one_of_another_shape_is_not() -> None:
    assert outcome(ONE, 200, ANSWER) is Outcome.RIGHT
    assert outcome(ONE, 200, {**ANSWER, "score": 1.5}) is Outcome.INVALID
    assert outcome(ONE, 200, {**ANSWER, "surprise": 1}) is Outcome.INVALID
    assert judge().judge(ONE, 200, b"<html>").outcome is Outcome.INVALID


def test_problem_with_429_is_a_refusal_and_another_a_failure() -> None:
    assert outcome(ONE, 429, {**PROBLEM, "status": 429}) is Outcome.REFUSED
    assert outcome(ONE, 503, {**PROBLEM, "status": 503}) is Outcome.FAILED
    assert outcome(ONE, 503, {"detail": "from a proxy"}) is Outcome.INVALID


def test_batch_is_as_right_as_its_worst_item() -> None:
    refused: dict[str, Any] = {"problem": {**PROBLEM, "status": 429}}
    assert outcome(BATCH, 200, {"items": [{"result": ANSWER}]}) is Outcome.RIGHT
    assert outcome(BATCH, 200, {"items": [{"result": ANSWER}, refused]}) is Outcome.REFUSED


@pytest.mark.parametrize("document", [b"no json", b"{}", b'{"paths": {}}'])
def test_document_that_describes_no_classification_is_an_error(document: bytes) -> None:
    with pytest.raises(TargetError, match=r"openapi\.json"):
        RestJudge.of(document, "http://here")
