"""Reads the file of experiments, whole or not at all."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from gateway.errors import TrafficPlanError
from gateway.routing.definitions import TrafficFile
from gateway.routing.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES: Final = 1024 * 1024
EMPTY_FILE: Final = TrafficFile()
_MAX_FAULTS: Final = 5


def read_bytes(path: Path) -> bytes:
    """Returns the bytes of the file.

    Raises:
        TrafficPlanError: it cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TrafficPlanError(f"the file cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise TrafficPlanError(f"the file is larger than {MAX_FILE_BYTES} bytes")
    return content


def parse_file(content: bytes) -> TrafficFile:
    """Reads a file.

    Args:
        content: TOML in UTF-8; see `definitions.TrafficFile`.

    Raises:
        TrafficPlanError: it is not TOML, or does not say what a file can say; the message names
            each place.
    """
    try:
        value = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrafficPlanError(f"the file is not TOML in UTF-8: {error}") from error
    try:
        file = TrafficFile.model_validate(value)
    except ValidationError as error:
        raise TrafficPlanError(describe(error)) from error
    make_plan(file.experiments, file.shadows, file.layers)
    return file


def describe(error: ValidationError) -> str:
    """Says what is wrong where, in one line for each of the first faults."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(map(str, fault['loc'])) or 'the definition'}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in faults[:_MAX_FAULTS]
    ]
    if len(faults) > _MAX_FAULTS:
        lines.append(f"and {len(faults) - _MAX_FAULTS} more")
    return "; ".join(lines)
