"""Where a tool is; it is fetched when it is missing or when its pinned version has changed."""

from __future__ import annotations

import fcntl
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from deploy.tools.catalog import TOOLS
from deploy.tools.errors import FetchError, UnknownToolError

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).parents[2] / ".diptych" / "tools"
"""Where tools are kept; `make clean` takes it away."""

_MAJOR_VERSION: Final = re.compile(r"-\d+$")


def program(tool: str, name: str | None = None, folder: Path = FOLDER) -> Path:
    """Returns the path of a program, fetched now if need be.

    Args:
        tool: a key of `TOOLS`.
        name: of the program, where the tool has several; by default the tool's own, without the
            major version at its end.
        folder: where tools are kept. Processes that fetch at the same time take turns.

    Raises:
        UnknownToolError: there is no such tool.
        FetchError: its package cannot be had, or does not hold the program.
    """
    package = TOOLS.get(tool)
    if package is None:
        raise UnknownToolError(tool, TOOLS)
    home = folder / tool
    stamp = home / "package"
    if not _says(stamp, package.label):
        with _turn(folder, tool):
            if not _says(stamp, package.label):
                scratch = Path(mkdtemp(prefix=f".{tool}.", dir=folder))
                try:
                    package.unpack(scratch)
                    (scratch / "package").write_text(package.label, encoding="utf-8")
                    shutil.rmtree(home, ignore_errors=True)
                    scratch.rename(home)
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
    path = home / (name or _MAJOR_VERSION.sub("", tool))
    if not path.exists():
        raise FetchError(package.label, f"it has no program {path.name}", "Ask for another one")
    return path


def _says(stamp: Path, label: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == label


@contextmanager
def _turn(folder: Path, tool: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{tool}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
