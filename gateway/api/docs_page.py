"""Renders the OpenAPI page as HTML: no script, no outside host, readable by a screen reader.

FastAPI's own pages load their scripts from a content network, which a closed network does not reach
and an open one should not have to trust.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;
color:#1b1b1b;background:#fff}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f3f3f3}
pre{padding:.75rem;overflow:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #ddd;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}code,pre{background:#262626}
th,td{border-color:#444}a{color:#8ab4f8}}
"""


def render_docs(openapi: dict[str, Any]) -> str:
    """Returns the page.

    Args:
        openapi: an OpenAPI 3.1 document.
    """
    info = openapi["info"]
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            f"<p>{escape(info.get('description', ''))}</p>",
            '<p>For programs: <a href="openapi.json">openapi.json</a></p>',
            *_operations(openapi["paths"]),
            "<h2>Schemas</h2>",
            *_schemas(openapi.get("components", {}).get("schemas", {})),
            "</main></body></html>",
        )
    )


def _operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            yield f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
            yield f"<p>{escape(operation.get('summary', ''))}</p>"
            if description := operation.get("description"):
                yield f"<p>{escape(description)}</p>"
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"<h3>Body, <code>{escape(media_type)}</code></h3>"
                yield _schema(content["schema"])
                if "example" in content:
                    example = json.dumps(content["example"], indent=2)
                    yield f"<p>Example:</p><pre>{escape(example)}</pre>"
            yield "<h3>Answers</h3><table><tr><th>Status<th>Meaning<th>Body</tr>"
            for status, answer in operation["responses"].items():
                bodies = " ".join(
                    f"<code>{escape(media_type)}</code> {_reference(content.get('schema', {}))}"
                    for media_type, content in answer.get("content", {}).items()
                )
                meaning = escape(answer["description"])
                yield f"<tr><td>{escape(status)}<td>{meaning}<td>{bodies}</tr>"
            yield "</table>"


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3>'
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        yield _schema(schema)


def _schema(schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return f"<p>{_reference(schema)}</p>"
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{_reference(each)}"
        f"<td>{'yes' if name in required else 'no'}<td>{escape(each.get('description', ''))}</tr>"
        for name, each in schema["properties"].items()
    )
    return f"<table><tr><th>Field<th>Type<th>Required<th>Meaning</tr>{rows}</table>"


def _reference(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_reference(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    if "items" in schema:
        return f"list of {_reference(schema['items'])}"
    return (
        escape(" ".join(str(schema[key]) for key in ("type", "format") if key in schema)) or "any"
    )
