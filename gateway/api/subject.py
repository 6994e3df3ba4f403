"""Reads whom a request is for: its unit and its metadata, from headers, gRPC metadata and fields.

Header names of HTTP and metadata keys of gRPC are the same, and both come in lower case.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.errors import MalformedRequestError
from gateway.routing.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UNIT_KEY: Final = "diptych-unit"
META_PREFIX: Final = "diptych-meta-"
MAX_UNIT_CHARS: Final = 256
MAX_ATTRIBUTES: Final = 16
MAX_VALUE_CHARS: Final = 256

_ATTRIBUTE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def subject_of(said: Iterable[tuple[str, str]], request_id: str, key_id: str | None) -> Subject:
    """Reads headers or gRPC metadata.

    Args:
        said: name in lower case and value; others than ours are passed over.
        request_id: of the request.
        key_id: name of the API key, or None.

    Raises:
        MalformedRequestError: a name or a value is out of range.
    """
    unit: str | None = None
    metadata: dict[str, str] = {}
    for name, value in said:
        if name == UNIT_KEY:
            unit = value
        elif name.startswith(META_PREFIX):
            metadata[name.removeprefix(META_PREFIX)] = value
    if unit is None and not metadata:
        return Subject(request_id, key_id)
    return merged(Subject(request_id, key_id), unit, metadata)


def merged(subject: Subject, unit: str | None, metadata: Mapping[str, str] | None) -> Subject:
    """Returns a subject with what fields of the request say, which count before headers.

    Args:
        subject: what the headers say.
        unit: the field, or None.
        metadata: the field, or None; names in any case.

    Raises:
        MalformedRequestError: a name or a value is out of range.
    """
    if unit is None and metadata is None:
        return subject
    if unit is not None and not 1 <= len(unit) <= MAX_UNIT_CHARS:
        raise MalformedRequestError(
            "unit_invalid",
            f"unit must have from 1 to {MAX_UNIT_CHARS} characters.",
            field="unit",
            limit=MAX_UNIT_CHARS,
            actual=len(unit),
        )
    return Subject(
        subject.request_id,
        subject.key_id,
        subject.unit if unit is None else unit,
        _with_attributes(subject.metadata, metadata) if metadata else subject.metadata,
    )


def _with_attributes(known: Mapping[str, str], added: Mapping[str, str]) -> Mapping[str, str]:
    attributes = dict(known)
    for name, value in added.items():
        attribute = name.lower()
        if not _ATTRIBUTE.fullmatch(attribute):
            raise MalformedRequestError(
                "metadata_name_invalid",
                "A name in the metadata must have from 1 to 64 of a-z, 0-9, '_', '.' and '-'.",
                field="metadata",
            )
        if len(value) > MAX_VALUE_CHARS:
            raise MalformedRequestError(
                "metadata_value_too_long",
                f"A value in the metadata is longer than {MAX_VALUE_CHARS} characters.",
                field="metadata",
                limit=MAX_VALUE_CHARS,
                actual=len(value),
            )
        attributes[attribute] = value
    if len(attributes) > MAX_ATTRIBUTES:
        raise MalformedRequestError(
            "metadata_too_many",
            f"The metadata have more than {MAX_ATTRIBUTES} names.",
            field="metadata",
            limit=MAX_ATTRIBUTES,
            actual=len(attributes),
        )
    return MappingProxyType(attributes)
