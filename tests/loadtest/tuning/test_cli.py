"""The command line as a user types it; the last with the real service and the exported demo."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from exporters.recipe import load_recipe
from loadtest.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """The command takes SIGTERM and SIGHUP for Ctrl-C; this process gets its own ways back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_tune_help_has_examples() -> None:
    result = CliRunner().invoke(app, ["tune", "--help"])

    assert result.exit_code == 0
    assert "python -m loadtest tune openmoji --p99 300ms" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["openmoij"], "There is no recipe 'openmoij'"),
        (["openmoji", "--try", "batch=3"], "--try batch"),
        (["openmoji", "--try", "text_batch=0"], "text_batch"),
        (["openmoji", "--p99", "soon"], "500ms"),
        (["openmoji", "--write", "tuned.json"], "--write"),
        (["openmoji"], "make export"),  # nothing is published in this folder
    ],
)
def test_tune_refuses_what_it_cannot_use_before_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["tune", *arguments])

    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / ".bench" / "tune.json").exists()


@pytest.mark.e2e
def test_tune_measures_two_settings_on_the_real_service_and_writes_recipe_and_evidence(
    tmp_path: Path, demo_repository: Path
) -> None:
    before = {path: path.read_bytes() for path in demo_repository.glob("*/config.pbtxt")}

    # The limit is so long that it does not matter what else this machine does.
    result = subprocess.run(
        [
            sys.executable, "-m", "loadtest", "tune", "openmoji", "--try", "image_batch=1",
            "--seconds", "0.5", "--attempts", "3", "--p99", "20s",
            "--output", tmp_path / "tune.json", "--model-repository", demo_repository,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert result.returncode == 0, result.stdout + result.stderr
    written = json.loads((tmp_path / "tune.json").read_text(encoding="utf-8"))
    figures = written["figures"]
    assert figures["is_complete"]
    assert (figures["tried"], figures["possible"]) == (2, 2)
    assert {each["settings"]["image_batch"] for each in figures["measurements"]} == {1, 4}
    assert all(each["rate_rps"] > 0 for each in figures["measurements"])
    assert (tmp_path / "tune.md").stat().st_size
    assert (tmp_path / "tune.png").stat().st_size
    tuned = load_recipe(str(tmp_path / "openmoji.toml"))
    assert tuned.target.image_batch == figures["best"]["image_batch"]
    assert before == {path: path.read_bytes() for path in demo_repository.glob("*/config.pbtxt")}
