"""What is made from the chart's values: `values.schema.json` and the tables of its README."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from deploy.helm import foreign_schemas
from deploy.helm.chart import CHART
from deploy.helm.values import Value, read_values

if TYPE_CHECKING:
    from pathlib import Path

_TYPES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_BLOCK: Final = re.compile(r"(<!-- values: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_LONGEST_DEFAULT: Final = 60


def schema_of(value: Value) -> dict[str, Any]:
    """Returns the JSON Schema of a value: closed, and with a description for each value in it."""
    described = {"description": value.description} if value.description else {}
    if value.key == "gateway.settings":
        return {**described, **foreign_schemas.gateway_settings()}
    if value.name in foreign_schemas.OF_PODS:
        return {**described, **foreign_schemas.OF_PODS[value.name]}
    if value.parts:
        parts = {part.name: schema_of(part) for part in value.parts}
        return {**described, "type": "object", "properties": parts, "additionalProperties": False}
    if isinstance(value.default, dict):
        return {**described, "type": "object", **value.schema}
    kind = {} if value.default is None else {"type": _TYPES[type(value.default)]}
    return {**described, **kind, **value.schema}


def schema_text() -> str:
    """Returns the content of `values.schema.json`."""
    schema = schema_of(read_values(CHART / "values.yaml"))
    # Helm adds this one for charts that are part of another.
    schema["properties"]["global"] = {
        "description": "Of a chart around this one; not used here.",
        "type": "object",
    }
    return json.dumps({"$schema": _DIALECT, "title": "diptych", **schema}, indent=2) + "\n"


def readme_text(readme: str) -> str:
    """Returns a README with the tables of values as `values.yaml` has them.

    Each stands between `<!-- values: PART -->`, PART being a key at the top, and `<!-- end -->`.
    `global_` takes those at the top that are no part.
    """
    root = read_values(CHART / "values.yaml")
    by_part: dict[str, list[Value]] = {"global_": []}
    for part in root.parts:
        if part.parts:
            by_part[part.name] = list(part.leaves())
        else:
            by_part["global_"].append(part)

    def table(match: re.Match[str]) -> str:
        rows = [
            f"| `{value.key}` | {_shown(value.default)} | {_escaped(value.description)} |"
            for value in by_part[match.group(2)]
        ]
        lines = ["| value | default | meaning |", "| --- | --- | --- |", *rows]
        return match.group(1) + "\n".join(lines) + "\n" + match.group(3)

    return _BLOCK.sub(table, readme)


def write_documents(chart: Path = CHART) -> list[Path]:
    """Writes what is made from the values, where it differs.

    Returns:
        The files that were changed.
    """
    readme = chart / "README.md"
    wanted = {
        chart / "values.schema.json": schema_text(),
        readme: readme_text(readme.read_text(encoding="utf-8")),
    }
    changed = []
    for path, content in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            scratch = path.with_suffix(".new")
            scratch.write_text(content, encoding="utf-8")
            scratch.replace(path)
            changed.append(path)
    return changed


def _shown(default: Any) -> str:  # noqa: ANN401  # whatever YAML holds
    text = json.dumps(default)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "see `values.yaml`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
