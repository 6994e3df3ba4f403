"""The Dockerfiles: what their linters say, and what the linters do not look at."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from deploy.docker.package_lists import EXTRAS, package_list
from deploy.tools import program

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "docker"
DOCKERFILES = sorted(FOLDER.glob("*.Dockerfile"))
LABELS = {"title", "description", "version", "revision", "licenses"}


def name_of(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
def test_hadolint_finds_nothing(path: Path) -> None:
    result = subprocess.run(
        [str(program("hadolint")), str(path)], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout) == (0, "")


def test_trivy_finds_nothing() -> None:
    options = ("--skip-check-update", "--quiet", "--exit-code", "1", "--format", "json")
    result = subprocess.run(
        [str(program("trivy")), "config", *options, str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
    )

    scanned = json.loads(result.stdout)["Results"]
    assert result.returncode == 0, result.stdout
    assert {each["Target"] for each in scanned} == {path.name for path in DOCKERFILES}


@pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
def test_image_is_staged_pinned_labelled_and_not_roots(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    bases = re.findall(r"^ARG \w+_IMAGE=(\S+)$", text, re.MULTILINE)
    users = re.findall(r"^USER (\S+)$", stages[-1], re.MULTILINE)

    assert len(stages) == 2
    assert bases
    assert all(re.search(r":\d+\.\d+[\w.-]*$", base) for base in bases)
    assert all(user.split(":")[0].isdigit() and not user.startswith("0") for user in users)
    assert len(users) == 1
    assert set(re.findall(r"org\.opencontainers\.image\.(\w+)=", stages[-1])) == LABELS
    assert stages[-1].count("HEALTHCHECK") == 1
    assert "pip install" not in stages[-1]


@pytest.mark.parametrize("image", EXTRAS)
def test_package_list_is_what_the_project_needs(image: str) -> None:
    written = (FOLDER / f"{image}-packages.txt").read_text(encoding="utf-8")

    assert written == package_list(image, ROOT), "run: python -m deploy.docker"


def test_gateway_has_what_the_charts_settings_switch_on() -> None:
    lines = (FOLDER / "gateway-packages.txt").read_text(encoding="utf-8").splitlines()
    names = {line.partition("==")[0] for line in lines}

    # Capture, traces, PostgreSQL.
    assert {"pyarrow", "opentelemetry-sdk", "psycopg-binary"} <= names


def test_gateway_has_no_model_code() -> None:
    lines = (FOLDER / "gateway-packages.txt").read_text(encoding="utf-8").splitlines()
    names = {line.partition("==")[0].lower() for line in lines}

    assert (
        names & {"torch", "transformers", "onnxruntime", "pandas", "scipy", "matplotlib"} == set()
    )


def test_build_context_has_all_that_is_copied_and_no_secrets() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied: set[str] = set()
    for path in DOCKERFILES:
        for line in re.findall(r"^COPY (?!--from)(.+)$", path.read_text("utf-8"), re.MULTILINE):
            copied |= set(line.split()[:-1])

    assert "*" in ignored
    assert {each.split("/")[0] for each in copied} <= allowed
    assert all((ROOT / each).exists() for each in copied)
    assert "deploy/compose" in ignored
