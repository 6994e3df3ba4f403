"""Experiments for tests."""

from __future__ import annotations

from typing import Any

from gateway.routing.definitions import ExperimentDefinition
from gateway.routing.subject import Subject


def experiment(**changes: Any) -> ExperimentDefinition:  # noqa: ANN401 - as in a file
    """Makes an experiment of `demo` and `other`, half each."""
    return ExperimentDefinition.model_validate(
        {
            "name": "heads",
            "control": "demo",
            "arms": {"demo": {"weight": 50}, "other": {"weight": 50}},
            **changes,
        }
    )


def subject(unit: str | None = "user-1", **changes: Any) -> Subject:  # noqa: ANN401 - its fields
    """Makes a subject."""
    return Subject(request_id="r1", unit=unit, **changes)
