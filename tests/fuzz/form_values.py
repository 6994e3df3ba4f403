"""A hook of schemathesis: what it takes for invalid in a form, and is not."""

from __future__ import annotations

from typing import Any

import schemathesis

FORM = "multipart/form-data"


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:  # noqa: ANN401 - schemathesis' own
    """Leaves out forms in which a text "became a boolean": it is sent as a text, which is valid."""
    if case.media_type != FORM or not isinstance(case.body, dict):
        return True
    fields = case.operation.definition.raw["requestBody"]["content"][FORM]["schema"]["properties"]
    return not any(
        fields.get(name, {}).get("type") == "string" and isinstance(value, bool | int | float)
        for name, value in case.body.items()
    )
