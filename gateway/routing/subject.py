"""What a request says of whom it is for, which is all that routing looks at."""

from __future__ import annotations

from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@value
class Subject:
    """Whom a request is for.

    Attributes:
        request_id: stands in for a unit where there is none.
        key_id: name of the API key, or None.
        unit: who keeps the same variant from request to request, for example a user; or None.
        metadata: further attributes by name in lower case.
    """

    request_id: str
    key_id: str | None = None
    unit: str | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
