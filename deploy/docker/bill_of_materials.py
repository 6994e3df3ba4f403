"""Writes what an image installs as a bill of materials, by syft, from the exact list of packages.

That is the part of an image that is ours. Of a built image, base included, syft tells all:
`syft diptych/gateway:0.1.0 --output cyclonedx-json`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from deploy.tools import program

FORMATS: Final = {"cyclonedx-json": "cdx.json", "spdx-json": "spdx.json"}
"""Syft's name of a format, and the ending of its files."""


def write_bill(image: str, lists: Path, folder: Path) -> list[Path]:
    """Writes one file a format and returns their paths.

    Args:
        image: a key of `package_lists.EXTRAS`.
        lists: where the lists of packages are.
        folder: where the bills go; made as needed.

    Raises:
        FetchError: syft cannot be had.
        subprocess.CalledProcessError: syft failed; it has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{image}.{ending}" for ending in FORMATS.values()]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # The name by which syft knows a list of Python's packages.
        shutil.copy(lists / f"{image}-packages.txt", Path(scratch, "requirements.txt"))
        fresh = [Path(scratch, path.name) for path in written]
        outputs = [f"--output={name}={path}" for name, path in zip(FORMATS, fresh, strict=True)]
        subject = (f"--source-name=diptych/{image}", f"dir:{scratch}")
        command = (str(program("syft")), "scan", "--quiet", *outputs, *subject)
        subprocess.run(command, check=True, env={"SYFT_CHECK_FOR_APP_UPDATE": "false"})
        for temporary, path in zip(fresh, written, strict=True):
            temporary.replace(path)
    return written
