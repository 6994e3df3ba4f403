from __future__ import annotations

import pytest

from gateway import errors
from gateway.api.problems import KINDS, to_problem


def leaves(base: type[errors.GatewayError]) -> list[type[errors.GatewayError]]:
    found = []
    for each in base.__subclasses__():
        found += leaves(each) or [each]
    return found


@pytest.mark.parametrize("error_type", leaves(errors.GatewayError))
def test_every_error_has_a_row_in_the_table(error_type: type[errors.GatewayError]) -> None:
    assert error_type in KINDS


def test_to_problem_foreign_error_shows_nothing_of_it() -> None:
    problem = to_problem(ValueError("secret"), "r1").to_json()
    assert problem["status"] == 500
    assert "secret" not in str(problem)


def test_to_problem_backend_reason_stays_inside() -> None:
    assert "secret" not in str(to_problem(errors.BackendError("secret"), "r1").to_json())
