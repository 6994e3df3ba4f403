"""What the commands that make keys share: the id of a key, and a file for its owner alone."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from pathlib import Path
from typing import Final

ID_PATTERN: Final = r"[a-z0-9][a-z0-9-]{0,63}"


def key_id_of(text: str) -> str:
    """Reads the id of a key from the command line.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not re.fullmatch(ID_PATTERN, text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be lower-case letters, digits and hyphens, 64 at most"
        )
    return text


def write_key_file(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    # mkstemp makes it readable by the owner alone; an existing file keeps its own mode.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            written.chmod(path.stat().st_mode & 0o777)
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)
