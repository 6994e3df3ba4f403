"""How a model step says that the caller's input, not the service, is at fault.

A python-backend step raises a `TritonError` with code INVALID_ARG whose message is an `InputFault`
in the form of `to_message`; Triton puts the ensemble's name in front of it. The gateway finds it
again with `from_message` and answers 4xx. The file is copied beside every python-backend model, so
it imports the standard library alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

_MARK: Final = "diptych-input-fault "


@dataclass(frozen=True)
class InputFault:
    """What is wrong with one input.

    Attributes:
        code: stable identifier in snake case, for example `image_truncated`.
        field: the input that is at fault: `image` or `text`.
        detail: one sentence for the caller; names no library and holds none of the payload.
        limit: the limit that was exceeded, in the unit the code names, or None.
        actual: the value that exceeded the limit, or None.
    """

    code: str
    field: str
    detail: str
    limit: int | None = None
    actual: int | None = None

    def to_message(self) -> str:
        """Returns the text that travels as the Triton error message."""
        return _MARK + json.dumps(asdict(self), sort_keys=True)


def from_message(message: str) -> InputFault | None:
    """Finds an `InputFault` in a Triton error message.

    Args:
        message: the whole message, with whatever Triton put around the fault.

    Returns:
        The fault, or None when the message holds none: then the service is at fault.
    """
    _, mark, tail = message.partition(_MARK)
    if not mark:
        return None
    try:
        fields, _ = json.JSONDecoder().raw_decode(tail)
        return InputFault(**fields)
    except (ValueError, TypeError):
        return None
