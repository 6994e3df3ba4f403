"""What a caller says about a request beside its content, over REST and gRPC alike.

Header names of HTTP and metadata keys of gRPC are the same, and both come in lower case.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gateway.admission.arrival import Arrival, Priority
from gateway.errors import MalformedRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.admission.deadline import Deadline
    from gateway.identity.principal import Principal

API_KEY: Final = "x-api-key"
DEADLINE_KEY: Final = "diptych-deadline-ms"
PRIORITY_KEY: Final = "diptych-priority"
DEGRADED_KEY: Final = "diptych-allow-degraded"


def arrival_of(
    said: Mapping[str, str], deadline: Deadline, principal: Principal, peer: str
) -> Arrival:
    """Puts together what admission asks of a request.

    Args:
        said: the headers or metadata of this module's names.
        deadline: the service's own.
        principal: who calls.
        peer: the address that the connection comes from, without the port.

    Raises:
        MalformedRequestError: a header cannot be read.
    """
    return Arrival(
        deadline.lowered_to(deadline_budget_s(said.get(DEADLINE_KEY))),
        priority(said.get(PRIORITY_KEY)),
        client_name(principal, peer),
        principal.weight,
        allows_degraded(said.get(DEGRADED_KEY)),
    )


def deadline_budget_s(text: str | None) -> float | None:
    """Reads the time that a caller allows, in seconds; None when nothing is said.

    Raises:
        MalformedRequestError: it is no number above 0.
    """
    if text is None:
        return None
    try:
        budget_ms = float(text)
    except ValueError:
        budget_ms = math.nan
    if not (budget_ms > 0 and math.isfinite(budget_ms)):
        raise MalformedRequestError(
            "deadline_invalid",
            "Diptych-Deadline-Ms must be a number of milliseconds above 0.",
            field="Diptych-Deadline-Ms",
        )
    return budget_ms / 1000


def client_name(principal: Principal, peer: str) -> str:
    """Names the client whose share of the places a request counts against.

    Args:
        principal: who calls.
        peer: the address that the connection comes from, without the port.

    Returns:
        The key's id, or for a caller without a key the address. A key's id holds neither dot nor
        colon, so that no address is one.
    """
    return peer if principal.is_anonymous else principal.key_id


def priority(text: str | None) -> Priority:
    """Reads the priority; interactive when nothing is said.

    Raises:
        MalformedRequestError: there is no such priority.
    """
    if text is None:
        return Priority.INTERACTIVE
    try:
        return Priority(text.strip().lower())
    except ValueError as error:
        raise MalformedRequestError(
            "priority_unknown",
            f"Diptych-Priority must be {' or '.join(Priority)}.",
            field="Diptych-Priority",
        ) from error


def allows_degraded(text: str | None) -> bool:
    """Reads whether an answer from one of two inputs is welcome; it is not when nothing is said.

    Raises:
        MalformedRequestError: it is neither true nor false.
    """
    match (text or "false").strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise MalformedRequestError(
        "allow_degraded_invalid",
        "Diptych-Allow-Degraded must be true or false.",
        field="Diptych-Allow-Degraded",
    )
