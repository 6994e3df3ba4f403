"""The form of an API key, and what is kept of it.

A key is `diptych_ID_SECRET`. The id is public: it finds the record, stands in logs, and tells who
finds a leaked key whose it is. The secret has 256 random bits, so one SHA-256 is enough to keep it
by: slow hashes (scrypt, Argon2) are for passwords, which can be guessed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from gateway.key_files import ID_PATTERN

PREFIX: Final = "diptych"
DIGEST_PATTERN: Final = r"[0-9a-f]{64}"

_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(rf"{PREFIX}_({ID_PATTERN})_[A-Za-z0-9_-]{{43}}")


def new_key(key_id: str) -> str:
    """Returns a fresh key.

    Args:
        key_id: matches `ID_PATTERN`.
    """
    return f"{PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def id_of(key: str) -> str | None:
    """Returns the id that a key claims, or None when it does not have the form of one."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def digest_of(key: str) -> str:
    """Returns what is kept of a key: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()
