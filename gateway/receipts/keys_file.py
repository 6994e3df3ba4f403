"""Reads the file of receipt keys: TOML, with the secrets themselves, as signing needs them.

```toml
unit_secrets = ["mVw…"]           # hashes unit keys; a further one is added in front

[[key]]
id = "2026-11"
secret = "q2k…"

[[key]]                           # signs once its time has come; all of them verify
id = "2026-12"
secret = "Zr8…"
signs_from = 2026-12-01T00:00:00Z
```
"""

from __future__ import annotations

import secrets
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.key_files import ID_PATTERN
from gateway.start_errors import ReceiptKeysFileError

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES: Final = 256 * 1024

_SECRET_BYTES: Final = 32
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_Secret = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43,128}$")]


def new_secret() -> str:
    """Returns 256 random bits in base64url."""
    return secrets.token_urlsafe(_SECRET_BYTES)


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """One key.

    Attributes:
        id: its name, for people.
        secret: what signs.
        signs_from: when it begins to sign; it verifies at once.
    """

    id: str
    secret: bytes
    signs_from: datetime = _EVER


@dataclass(frozen=True, slots=True)
class ReceiptKeys:
    """All keys.

    Attributes:
        keys: at least one.
        unit_secrets: hash unit keys: the first of them, and all are looked for where a unit is to
            be forgotten. None: receipts name no unit.
        is_ephemeral: whether they end with this process.
    """

    keys: tuple[ReceiptKey, ...]
    unit_secrets: tuple[bytes, ...]
    is_ephemeral: bool = False

    @classmethod
    def ephemeral(cls) -> Self:
        """Makes a key that only this process knows.

        It hashes no units: what is stored under such a hash could never be found again.
        """
        return cls((ReceiptKey("ephemeral", new_secret().encode()),), (), is_ephemeral=True)


class _KeyEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
    secret: _Secret
    signs_from: AwareDatetime | None = None


class _KeysFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    unit_secrets: Annotated[tuple[_Secret, ...], Field(max_length=16)] = ()
    key: Annotated[tuple[_KeyEntry, ...], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len({each.id for each in self.key}) < len(self.key):
            raise ValueError("two keys have one id")
        if len({each.secret for each in self.key}) < len(self.key):
            raise ValueError("two keys have one secret")
        return self


def read_receipt_keys(path: Path) -> ReceiptKeys:
    """Reads the file.

    Raises:
        ReceiptKeysFileError: it cannot be read or is not right; nothing of it is to be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ReceiptKeysFileError(path, [error.strerror or type(error).__name__]) from error
    if len(content) > MAX_FILE_BYTES:
        raise ReceiptKeysFileError(path, [f"more than {MAX_FILE_BYTES} bytes"])
    return parse_receipt_keys(content, path)


def parse_receipt_keys(content: bytes, path: Path) -> ReceiptKeys:
    """Does what `read_receipt_keys` does, with the bytes; `path` is for errors alone."""
    try:
        listed = _KeysFile.model_validate(tomllib.loads(content.decode()))
    except UnicodeDecodeError as error:
        raise ReceiptKeysFileError(path, ["not UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ReceiptKeysFileError(path, [f"not TOML: {error}"]) from error
    except ValidationError as error:
        # The place and the rule alone, never the secret.
        faults = [
            f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}"
            for each in error.errors(include_input=False, include_context=False)
        ]
        raise ReceiptKeysFileError(path, faults) from error
    return ReceiptKeys(
        tuple(
            ReceiptKey(each.id, each.secret.encode(), each.signs_from or _EVER)
            for each in listed.key
        ),
        tuple(each.encode() for each in listed.unit_secrets),
    )
