"""The scripts that fetch and check models, run by a real shell."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from deploy.helm.chart import CHART
from tests.deploy.helm.rendered import chart, only, pod_spec

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = CHART / "files" / "scripts"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A repository of two files with its list."""
    folder = tmp_path / "models"
    (folder / "encoder" / "1").mkdir(parents=True)
    (folder / "encoder" / "config.pbtxt").write_text("name: 'encoder'\n")
    (folder / "encoder" / "1" / "model with a space.onnx").write_bytes(b"graph")
    make = (
        "find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs -d '\\n' sha256sum > SHA256SUMS"
    )
    assert make in (CHART / "README.md").read_text(encoding="utf-8")
    subprocess.run(["sh", "-c", make], cwd=folder, check=True)
    return folder


def digest(models: Path) -> str:
    return hashlib.sha256((models / "SHA256SUMS").read_bytes()).hexdigest()


def check(models: Path, expected: str) -> subprocess.CompletedProcess[str]:
    """Runs the init container's script as the chart calls it."""
    (container,) = pod_spec(chart("pools"), "-triton-cpu")["initContainers"]
    shell, script = container["command"]
    command = [shell, str(SCRIPTS / script.removeprefix("/scripts/")), str(models), expected]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_repository_that_is_as_listed_passes(models: Path) -> None:
    result = check(models, digest(models))

    assert result.returncode == 0, result.stderr
    assert result.stdout == "2 files are as listed.\n"


def test_other_list_is_refused_with_both_digests(models: Path) -> None:
    result = check(models, "0" * 64)

    assert result.returncode == 1
    assert digest(models) in result.stderr


def test_changed_file_is_refused_by_name(models: Path) -> None:
    (models / "encoder" / "1" / "model with a space.onnx").write_bytes(b"other")

    result = check(models, digest(models))

    assert result.returncode == 1
    assert "model with a space.onnx" in result.stdout + result.stderr


def test_missing_file_is_refused(models: Path) -> None:
    (models / "encoder" / "config.pbtxt").unlink()

    assert check(models, digest(models)).returncode == 1


def test_file_that_nobody_listed_is_refused(models: Path) -> None:
    (models / "encoder" / "1" / "model.py").write_text("import os\n")

    result = check(models, digest(models))

    assert result.returncode == 1
    assert "3 files are there" in result.stderr


def test_repository_without_a_list_is_told_what_to_make(models: Path) -> None:
    (models / "SHA256SUMS").unlink()

    result = check(models, "0" * 64)

    assert result.returncode == 1
    assert "models.digest" in result.stderr


def test_bucket_is_fetched_whole_and_what_is_not_in_it_goes(tmp_path: Path) -> None:
    """Stands in for rclone with a script that writes down how it was called."""
    stub = tmp_path / "rclone"
    stub.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    subprocess.run(
        ["sh", str(SCRIPTS / "fetch.sh"), "store:models/cpu", "/models"],
        env=environment,
        timeout=30,
        check=True,
    )

    called = (tmp_path / "called").read_text().split()
    assert called[0] == "sync"
    assert called[-2:] == ["store:models/cpu", "/models"]


def test_pods_get_the_scripts_as_they_are() -> None:
    config = only(chart("s3"), "ConfigMap", "-model-scripts")

    for path in SCRIPTS.iterdir():
        assert config["data"][path.name] == path.read_text(encoding="utf-8")
