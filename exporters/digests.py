"""Identities: SHA-256 over content, never over names of machines, folders or times."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest_of_json(value: Any) -> str:  # noqa: ANN401 - whatever JSON can say
    """Returns the SHA-256 (64 hex digits) of `value` as canonical JSON: sorted keys, no spaces."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Returns the SHA-256 (64 hex digits) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_source(packages: Iterable[str]) -> str:
    """Returns the SHA-256 of the Python source of some packages or modules, by dotted name.

    What was computed by other code is not reused: a changed head or split trains again.

    Args:
        packages: dotted names; a package counts with all modules beneath it.
    """
    digests: dict[str, str] = {}
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        origin = Path(spec.origin)
        if origin.name != "__init__.py":
            digests[name] = digest_of_file(origin)
            continue
        for file in origin.parent.rglob("*.py"):
            digests[f"{name}/{file.relative_to(origin.parent).as_posix()}"] = digest_of_file(file)
    return digest_of_json(digests)
