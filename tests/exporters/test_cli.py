from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from exporters.cli import main
from tests.small_repository import write_small_repository
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., int | str | None]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run_command(*arguments: object) -> int | str | None:
        monkeypatch.setattr(sys, "argv", ["exporters", *map(str, arguments)])
        with pytest.raises(SystemExit) as ending:
            main()
        return ending.value.code

    return run_command


def test_train_then_evaluate_prints_the_quality_table(
    run: Run,
    recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("train", recipe, "--workspace", tmp_path) == 0
    trained = capsys.readouterr().out
    assert run("evaluate", recipe, "--workspace", tmp_path) == 0
    evaluated = capsys.readouterr().out

    assert "| image and text |" in trained
    assert trained == evaluated
    [report] = tmp_path.glob("runs/shapes-*/report.md")
    assert str(report) in trained


def test_compare_prints_the_table_and_where_the_report_lies(
    run: Run,
    recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--heads", "gated, mean_pooling", "--folds", "2", "--workspace", tmp_path)
    assert run("compare", recipe, *options) == 0

    printed = capsys.readouterr().out
    assert "| gated |" in printed
    assert "| mean_pooling |" in printed
    [report] = tmp_path.glob("comparisons/shapes-*/comparison.md")
    assert str(report) in printed


def test_evaluate_of_an_untrained_recipe_gives_the_command_that_trains_it(
    run: Run,
    recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("evaluate", recipe, "--workspace", tmp_path) == 2

    error = capsys.readouterr().err
    assert "not trained" in error
    assert f"python -m exporters train {recipe} --workspace {tmp_path}" in error


def test_error_is_one_sentence_and_one_remedy_without_traceback(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "no-such-recipe") == 2

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Error: There is no recipe 'no-such-recipe'."
    assert "openmoji" in lines[1]
    assert len(lines) == 2


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "compare"])
def test_help_of_each_command_shows_an_example(
    run: Run, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(command, "--help") == 0

    assert f"python -m exporters {command} openmoji" in capsys.readouterr().out


def test_unknown_option_is_refused(run: Run) -> None:
    assert run("train", "openmoji", "--epochs", "3") == 2


def test_doctor_of_a_sound_repository_counts_and_ends_well(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = write_small_repository("embedded", tmp_path)
    machine = ("--cores", 8, "--shared-memory-mib", 4096)

    assert run("doctor", "--model-repository", repository, *machine) == 0

    assert capsys.readouterr().out == "8 models: 0 errors, 0 warnings.\n"


def test_doctor_of_a_broken_repository_says_code_reason_and_remedy(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = write_small_repository("embedded", tmp_path)
    [head] = repository.glob("demo-head-both-*")
    shutil.rmtree(head)
    command = ("doctor", "--model-repository", repository, "--cores", 1)

    assert run(*command) == 1
    lines = capsys.readouterr().out.splitlines()
    assert run(*command, "--json") == 1
    answer = json.loads(capsys.readouterr().out)

    assert lines[0] == "error step-missing: demo-aaaaaaaaaaaa-both"
    assert head.name in lines[1]
    assert lines[-1] == "7 models: 1 errors, 1 warnings."
    assert answer["models"] == 7
    assert [finding["code"] for finding in answer["findings"]] == [
        "step-missing",
        "threads-oversubscribed",
    ]
    assert set(answer["findings"][0]) == {"code", "severity", "model", "reason", "remedy"}


def test_doctor_of_an_empty_repository_names_the_command_that_fills_it(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("doctor", "--model-repository", tmp_path) == 2

    assert "python -m exporters export" in capsys.readouterr().err


def test_doctor_help_shows_an_example(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--help") == 0

    assert "python -m exporters doctor" in capsys.readouterr().out
