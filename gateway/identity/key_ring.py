"""Says who holds a key: the one place where keys are compared."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gateway.errors import UnauthenticatedError
from gateway.identity.api_key import digest_of, id_of
from gateway.identity.principal import ANONYMOUS_ID, Principal

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.identity.keys_file import KeySet

_NO_DIGESTS: Final = ("0" * 64,)  # compared for an id that there is not


def _now() -> datetime:
    return datetime.now(UTC)


class KeyRing:
    """The keys that are good at the moment.

    Args:
        keys: to begin with.
        now: reads the wall clock, by which keys expire.
    """

    def __init__(self, keys: KeySet, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self.replace(keys)

    def replace(self, keys: KeySet) -> None:
        """Takes other keys in place of all that there are."""
        self._keys = keys
        self._anonymous = Principal(ANONYMOUS_ID, keys.anonymous_scopes)

    @property
    def is_enforced(self) -> bool:
        """Whether keys are asked for; without a keys file, on loopback, they are not."""
        return self._keys.is_enforced

    def __len__(self) -> int:
        return len(self._keys.records)

    def authenticate(self, key: str | None) -> Principal:
        """Returns the holder of a key, or the anonymous caller.

        Args:
            key: what was sent; None when nothing was.

        Raises:
            UnauthenticatedError: the key is not one of ours or no longer good. Where keys are not
                enforced, what was sent is not looked at.
        """
        if key is None or not self._keys.is_enforced:
            return self._anonymous
        record = self._keys.records.get(id_of(key) or "")
        digest = digest_of(key)
        # Each with each, in constant time: how long it takes says nothing of how alike they are.
        matches = [
            hmac.compare_digest(digest, each)
            for each in (record.digests if record else _NO_DIGESTS)
        ]
        if record is None or not any(matches):
            raise UnauthenticatedError.unknown()
        if record.not_after is not None and self._now() > record.not_after:
            raise UnauthenticatedError.expired(record.principal.key_id)
        return record.principal
