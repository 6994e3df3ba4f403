"""What a caller says about a request beside its content, over REST and gRPC alike.

Header names of HTTP and metadata keys of gRPC are the same, and both come in lower case.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final

from gateway.admission.arrival import Priority
from gateway.errors import MalformedRequestError

API_KEY: Final = "x-api-key"
DEADLINE_KEY: Final = "diptych-deadline-ms"
PRIORITY_KEY: Final = "diptych-priority"


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


def client_name(api_key: str | None, peer: str) -> str:
    """Names the client whose share of the places a request counts against.

    Args:
        api_key: the key that was sent, if one was. It names the client and proves nothing.
        peer: the address that the connection comes from, without the port.

    Returns:
        A digest of the key, which itself is kept nowhere, or the address.
    """
    if api_key is None:
        return peer
    return hashlib.blake2s(api_key.encode(), digest_size=12).hexdigest()


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
