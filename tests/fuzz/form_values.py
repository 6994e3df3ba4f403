"""A hook of schemathesis: what it takes for invalid in a form, and is not."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import schemathesis
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

FORM = "multipart/form-data"


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:  # noqa: ANN401 - schemathesis' own
    """Leaves out broken forms that are valid as they are sent, where every value is text or bytes.

    A text that "became a boolean" arrives as the text `false`, and a list sends a part for each of
    its values: of none nothing, whatever its name, and of one what the value alone would send.
    """
    body = case.meta.components.get(ParameterLocation.BODY) if case.meta else None
    if case.media_type != FORM or body is None or body.mode is not GenerationMode.NEGATIVE:
        return True
    schema = case.operation.definition.raw["requestBody"]["content"][FORM]["schema"]
    return not jsonschema_rs.is_valid(schema, _as_sent(case.body, schema["properties"]))


def _as_sent(form: Any, fields: dict[str, Any]) -> Any:  # noqa: ANN401
    if not isinstance(form, dict):
        return form
    texts = {name for name, each in fields.items() if each.get("type") == "string"}
    return {
        name: _text(value) if name in texts else value
        for name, value in form.items()
        if value != []
    }


def _text(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, list | dict | None):
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
