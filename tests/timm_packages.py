"""timm and torchvision in a folder of their own, for tests that run a process with them.

They are not installed beside the other packages: where torchvision is, transformers chooses other
image processors, and the suite is to see what most people have.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from exporters.atomic import atomic_folder

ROOT: Final = Path(__file__).parents[1]

_NAMES: Final = ("timm", "torchvision")
_INSTALL_TIMEOUT_S: Final = 240


def run_with_timm(*arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Runs Python with the two packages on its path, in the repository's root.

    Args:
        arguments: of the interpreter.
        timeout_s: after so many seconds the process is killed.
    """
    paths = [str(_packages()), str(ROOT)]
    return subprocess.run(
        (sys.executable, *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def _packages() -> Path:
    """The folder; pip fills it when no test has done so with these pins."""
    pins = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line.partition("==")[0] in _NAMES
    ]
    assert len(pins) == len(_NAMES)
    folder = ROOT / ".diptych" / "packages" / "-".join(pins)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run beside each other want it at once
        if not folder.is_dir():
            with atomic_folder(folder) as unfinished:
                pip = (sys.executable, "-m", "pip", "install", "--quiet")
                options = ("--disable-pip-version-check", "--no-deps", "--target", str(unfinished))
                subprocess.run((*pip, *options, *pins), check=True, timeout=_INSTALL_TIMEOUT_S)
    return folder
