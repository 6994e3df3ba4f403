"""API keys for the two clients, made as an operator makes them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

KEYS_FILE_SETTING: Final = "DIPTYCH_GATEWAY_API_KEYS_FILE"


def start_keys_file(folder: Path) -> Path:
    """Begins a keys file with which requests without a key are answered too, as without a file.

    Returns:
        The file.
    """
    path = folder / "keys.toml"
    path.write_text('anonymous_scopes = ["classify"]\n')
    return path


def add_key(path: Path, name: str) -> str:
    """Adds a key that may classify.

    Args:
        path: the keys file.
        name: the key's id.

    Returns:
        The key.
    """
    command = [sys.executable, "-m", "gateway.keys", "new", "--id", name, "--scope", "classify"]
    made = subprocess.run(
        [*command, "--file", str(path)], check=True, capture_output=True, text=True
    )
    return made.stdout.strip()
