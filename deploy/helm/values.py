"""Reads `values.yaml` with its comments: what each value is called, means, takes and is by default.

A comment above a key is its description. In it, `@schema {...}` narrows what the key takes, and
`@like KEY` takes the descriptions of another part for keys that have none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA_MARK = "@schema "
_LIKE_MARK = "@like "


class ValuesError(Exception):
    """A comment in `values.yaml` cannot be read, or a value has none.

    Attributes:
        key: the value's path, with dots.
        reason: what is wrong, without a full stop.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"values.yaml, {key}: {reason}.")
        self.key = key
        self.reason = reason


@dataclass(frozen=True)
class Value:
    """One value, or one part with values in it.

    Attributes:
        key: its path, with dots.
        default: what `values.yaml` says.
        description: for people.
        schema: what narrows it, as JSON Schema.
        parts: the values in it; none for what is a value as a whole, open mappings included.
    """

    key: str
    default: Any
    description: str
    schema: dict[str, Any]
    parts: tuple[Value, ...] = field(default=())

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.key.rpartition(".")[2]

    def leaves(self) -> Iterator[Value]:
        """Yields all values in it, itself where it has no parts."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def read_values(path: Path) -> Value:
    """Reads a values file.

    Returns:
        The root, whose key is empty.

    Raises:
        ValuesError: a value is not described, or a comment cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    return _Reader(text.splitlines()).read(document)


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._known: dict[str, Value] = {}

    def read(self, root: yaml.Node | None) -> Value:
        if not isinstance(root, yaml.MappingNode):
            raise ValuesError("(root)", "it is no mapping")
        return Value("", None, "", {}, tuple(self._children(root, "", like=None)))

    def _children(self, node: yaml.MappingNode, path: str, like: str | None) -> Iterator[Value]:
        for key_node, value_node in node.value:
            key = f"{path}.{key_node.value}" if path else str(key_node.value)
            lines = list(self._comment_above(key_node.start_mark))
            twin = f"{like}.{key_node.value}" if like else None
            for line in lines:
                if line.startswith(_LIKE_MARK):
                    twin = line.removeprefix(_LIKE_MARK)
            yield self._value(key, value_node, lines, twin)

    def _value(self, key: str, node: yaml.Node, lines: list[str], twin: str | None) -> Value:
        known = self._known.get(twin) if twin else None
        schema = self._schema(key, lines)
        description = " ".join(line for line in lines if not line.startswith("@"))
        if known and not description:
            description, schema = known.description, schema or known.schema
        default = yaml.SafeLoader("").construct_document(node)
        is_open = not default or "additionalProperties" in schema
        parts: tuple[Value, ...] = ()
        if isinstance(node, yaml.MappingNode) and not is_open:
            parts = tuple(self._children(node, key, twin))
        elif not description:
            raise ValuesError(key, "it has no comment that says what it is")
        value = Value(key, default, description, schema, parts)
        self._known[key] = value
        return value

    def _schema(self, key: str, lines: list[str]) -> dict[str, Any]:
        marked = [line for line in lines if line.startswith(_SCHEMA_MARK)]
        try:
            merged: dict[str, Any] = {}
            for line in marked:
                merged |= json.loads(line.removeprefix(_SCHEMA_MARK))
        except ValueError as error:
            raise ValuesError(key, f"its @schema is no JSON: {error}") from error
        return merged

    def _comment_above(self, mark: yaml.Mark) -> list[str]:
        found: list[str] = []
        indent = " " * mark.column
        for number in range(mark.line - 1, -1, -1):
            line = self._lines[number]
            if not line.startswith(f"{indent}#"):
                break
            found.append(line.removeprefix(indent).removeprefix("#").strip())
        return found[::-1]
