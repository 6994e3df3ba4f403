"""Who a request comes from, once that is proved, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.errors import ForbiddenError, UnauthenticatedError

ANONYMOUS_ID: Final = "anonymous"


class Scope(StrEnum):
    """What a key can allow."""

    CLASSIFY = "classify"
    FEEDBACK = "feedback"
    ADMIN = "admin"


LOCAL_SCOPES: Final = frozenset({Scope.CLASSIFY, Scope.FEEDBACK})
"""What everyone may do on loopback without a keys file.

Not to administer: any page that a browser of this machine shows can send requests to loopback.
"""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket.

    Attributes:
        rate_rps: requests a second in the long run.
        burst: requests at once after a pause.
    """

    rate_rps: float
    burst: float


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request.

    Attributes:
        key_id: name of the API key; never the key.
        scopes: what it allows.
        weight: its part of the places relative to other callers.
        rate_limit: how often it may ask, or None for no limit of its own.
    """

    key_id: str
    scopes: frozenset[Scope]
    weight: float = 1.0
    rate_limit: RateLimit | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing proves who it is."""
        return self.key_id == ANONYMOUS_ID

    @property
    def proved_id(self) -> str | None:
        """Name of the API key, or None without one."""
        return None if self.is_anonymous else self.key_id


def require(principal: Principal, scope: Scope) -> None:
    """Lets a caller pass who has a scope.

    Raises:
        UnauthenticatedError: the caller has no key.
        ForbiddenError: the caller's key does not allow it.
    """
    if scope in principal.scopes:
        return
    if principal.is_anonymous:
        raise UnauthenticatedError.missing(scope)
    raise ForbiddenError(scope)
