"""Sees to the keys that sign prediction ids, so that feedback outlives a restart."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from deploy.local.errors import PreflightError

if TYPE_CHECKING:
    from pathlib import Path


def ensure(file: Path) -> Path:
    """Makes a file of keys where there is none; one that is there is left as it is.

    Args:
        file: readable by its owner alone, once it is made.

    Raises:
        PreflightError: it cannot be made.
    """
    if not file.exists():
        # The gateway's own command: what its file looks like is its business alone.
        made = subprocess.run(
            (sys.executable, "-m", "gateway.receipts", "new", str(file), "--id", "local"),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise PreflightError([f"Receipt keys cannot be made: {made.stderr.strip()}"])
    return file
