"""Files and folders that appear whole or not at all.

What is written goes to a temporary name beside its target and is renamed when complete, so neither
an error nor Ctrl-C leaves half a file under a name that someone reads.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yields a temporary path to write to; it becomes `target` when the block ends well.

    Args:
        target: the file that is made or replaced; its folder is made when missing.

    Yields:
        A path in the same folder, with the same suffix (writers choose their format by it).
    """
    with _scratch_beside(target) as scratch:
        written = scratch / target.name
        yield written
        written.replace(target)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yields an empty temporary folder; it becomes `target` when the block ends well.

    A folder cannot be replaced in one step: a `target` that exists is moved aside first and is
    lost only after the new one stands.

    Args:
        target: the folder that is made or replaced.

    Yields:
        A folder on the same file system.
    """
    with _scratch_beside(target) as scratch:
        written = scratch / "new"
        written.mkdir()
        yield written
        if target.exists():
            target.rename(scratch / "old")
        written.rename(target)


@contextmanager
def _scratch_beside(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
