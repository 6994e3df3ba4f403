# ruff: noqa: ANN401 - JSON
"""What every refusal over REST must look like."""

from __future__ import annotations

from typing import Any

from gateway.api.schemas import ProblemBody


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    ProblemBody.model_validate(problem)
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["instance"].endswith(response.headers["x-request-id"])
    return problem
