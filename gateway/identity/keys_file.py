"""Reads the file of API keys: TOML, with hashes in place of keys.

```toml
[[key]]
id = "shop"
sha256 = ["9f86…"]              # two while a key is being replaced
scopes = ["classify", "feedback"]
rate_rps = 50                   # optional: no limit of its own
burst = 100                     # optional: twice the rate
weight = 2                      # optional: 1
not_after = 2027-06-30T00:00:00Z  # optional: does not expire
```
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.identity.api_key import DIGEST_PATTERN
from gateway.identity.principal import ANONYMOUS_ID, Principal, RateLimit, Scope
from gateway.key_files import ID_PATTERN
from gateway.start_errors import KeysFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_BURST_S: Final = 2.0  # of requests at the rate, where the file says no burst


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key as the file has it.

    Attributes:
        principal: who uses it.
        digests: SHA-256 of each secret that is good, in hexadecimal digits.
        not_after: when it expires, or None.
    """

    principal: Principal
    digests: tuple[str, ...]
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class KeySet:
    """All keys, and what is allowed without one.

    Attributes:
        records: by id.
        anonymous_scopes: what a caller without a key may do.
        is_enforced: whether a key that is sent must be good; not where there is no file of them.
    """

    records: Mapping[str, KeyRecord] = field(default_factory=lambda: MappingProxyType({}))
    anonymous_scopes: frozenset[Scope] = frozenset()
    is_enforced: bool = True


class _KeyEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
    sha256: Annotated[
        tuple[Annotated[str, Field(pattern=f"^{DIGEST_PATTERN}$")], ...],
        Field(min_length=1, max_length=4),
    ]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    rate_rps: Annotated[float | None, Field(gt=0, le=1e6)] = None
    burst: Annotated[float | None, Field(ge=1, le=1e6)] = None
    weight: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    not_after: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if self.id == ANONYMOUS_ID:
            raise ValueError(f"the id {ANONYMOUS_ID!r} is for callers without a key")
        if self.burst is not None and self.rate_rps is None:
            raise ValueError("burst needs rate_rps")
        return self

    def to_record(self) -> KeyRecord:
        rate_limit = None
        if self.rate_rps is not None:
            burst = self.burst or max(1.0, _BURST_S * self.rate_rps)
            rate_limit = RateLimit(self.rate_rps, burst)
        principal = Principal(self.id, self.scopes, self.weight, rate_limit)
        return KeyRecord(principal, self.sha256, self.not_after)


class _KeysFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: tuple[_KeyEntry, ...] = ()
    anonymous_scopes: frozenset[Scope] = frozenset()

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [each.id for each in self.key]
        if repeated := sorted({each for each in ids if ids.count(each) > 1}):
            raise ValueError(
                f"several keys have the id {', '.join(repeated)}; a key that is being replaced has "
                "two hashes under sha256"
            )
        return self


def read_keys(path: Path, *, is_exposed: bool) -> KeySet:
    """Reads the file.

    Args:
        path: of the file.
        is_exposed: whether other machines can reach this process.

    Returns:
        The keys that it lists.

    Raises:
        KeysFileError: it cannot be read or is not right; nothing of it is to be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeysFileError(path, [error.strerror or type(error).__name__]) from error
    if len(content) > MAX_FILE_BYTES:
        raise KeysFileError(path, [f"more than {MAX_FILE_BYTES} bytes"])
    return parse_keys(content, path, is_exposed=is_exposed)


def parse_keys(content: bytes, path: Path, *, is_exposed: bool) -> KeySet:
    """Does what `read_keys` does, with the bytes of the file; `path` is for errors alone."""
    try:
        listed = _KeysFile.model_validate(tomllib.loads(content.decode()))
    except UnicodeDecodeError as error:
        raise KeysFileError(path, ["not UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise KeysFileError(path, [f"not TOML: {error}"]) from error
    except ValidationError as error:
        # The place and the rule alone: a key may stand where its hash should.
        faults = [
            f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}"
            for each in error.errors(include_input=False, include_context=False)
        ]
        raise KeysFileError(path, faults) from error
    if listed.anonymous_scopes and is_exposed:
        raise KeysFileError(
            path, ["anonymous_scopes: only for servers that are bound to loopback; remove it"]
        )
    records = {each.id: each.to_record() for each in listed.key}
    return KeySet(MappingProxyType(records), listed.anonymous_scopes)
