"""The command line as a user types it; the last two with the real service and the exported demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.loadtest.bench import tiny_variant

ROOT = Path(__file__).parents[3]


def bench_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "loadtest.bench", *map(str, arguments)]


def bench(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    # Whether the bench works is asked here, not whether a busy machine answers in time.
    environment = {**os.environ, "DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": "10000"}
    return subprocess.run(
        bench_command(*arguments),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_bench_help_has_an_example(tmp_path: Path) -> None:
    result = bench(tmp_path, "--help")

    assert result.returncode == 0
    assert "python -m loadtest.bench --seconds 6" in result.stdout
    assert "--quick" in result.stdout


def test_bench_without_a_repository_says_what_to_do_and_measures_nothing(tmp_path: Path) -> None:
    result = bench(tmp_path)

    assert result.returncode == 2
    assert "make export" in result.stderr
    assert not (tmp_path / ".bench" / "main.json").exists()


def test_bench_output_that_is_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    result = bench(tmp_path, "--output", tmp_path)

    assert result.returncode == 2
    assert "--output" in result.stderr


def test_bench_variant_of_other_steps_is_refused_at_once(tmp_path: Path) -> None:
    tiny_variant.publish(tmp_path / "model_repository", steps=("image", "head"))

    result = bench(tmp_path, "--variant", "tiny")

    assert result.returncode == 2
    assert "text_encoder" in result.stderr


@pytest.mark.e2e
def test_bench_quick_measures_every_part_of_the_real_service(
    tmp_path: Path, demo_repository: Path
) -> None:
    output = tmp_path / "figures" / "quick.json"

    result = bench(tmp_path, "--quick", "--output", output, "--model-repository", demo_repository)

    assert result.returncode == 0, result.stdout + result.stderr
    figures = json.loads(output.read_text(encoding="utf-8"))["figures"]
    assert [load["clients"] for load in figures["loads"]] == [1, 8, 16]
    served = figures["loads"][-1]["contestants"]["gateway"]
    assert served["throughput_rps"] > 0
    assert served["failures"] == {}
    assert any(name.startswith("image-encoder") for name in served["cpu_ms_per_request"])
    assert set(figures["loads"][-1]["ratios"]) == {"in-process", "baseline"}
    assert figures["memory"]["rss_mib"] > figures["memory"]["pss_mib"] > 50
    assert {"gateway", "tritonserver"} <= set(figures["memory"]["pss_by_process_mib"])


@pytest.mark.e2e
def test_bench_ctrl_c_stops_every_process(tmp_path: Path, demo_repository: Path) -> None:
    output = tmp_path / "quick.json"
    command = bench_command("--quick", "--output", output, "--model-repository", demo_repository)
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "service started" in line:
                break
        family = psutil.Process(process.pid).children(recursive=True)
        names = {each.name() for each in family}
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
        process.communicate(timeout=30.0)

    assert process.returncode == 130
    assert "tritonserver" in names
    _, alive = psutil.wait_procs(family, timeout=5.0)
    assert not alive
    assert not output.exists()
