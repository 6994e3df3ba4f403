"""Shows the figures of a run on the console and writes them to a file."""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from loadtest.bench.errors import OutputError
from loadtest.bench.targets import TARGET_CLIENTS
from loadtest.bench.window import BASELINE, GATEWAY, IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from loadtest.bench.figures import Figures, Measured
    from loadtest.bench.targets import Verdict

SCHEMA_VERSION: Final = 1


def show(console: Console, figures: Figures, verdicts: Sequence[Verdict]) -> None:
    """Prints the tables.

    Args:
        console: where to.
        figures: of the run.
        verdicts: on the targets; none to leave that table out.
    """
    console.print(_load_table(figures))
    console.print(_cpu_table(figures))
    lone, memory = figures.lone_client, figures.memory
    console.print(
        f"One request in-process, one thread: image branch {lone.image_branch_ms:.1f} ms, text "
        f"branch {lone.text_branch_ms:.1f} ms; P50 of one client {lone.p50_above_longer_ms:.1f} ms "
        "above the longer.\n"
        f"In-process layout: {figures.layout}. Baseline: {figures.baseline_settings}.\n"
        f"Memory of the service after the load: {memory.pss_mib:.0f} MiB PSS (shared pages counted "
        f"once), {memory.rss_mib:.0f} MiB RSS (counted once a process).\n"
        f"Start to first answer: {', '.join(f'{start:.2f} s' for start in figures.starts_s)}.",
        highlight=False,
    )
    for what, count in figures.failures.most_common(3):
        console.print(f"{count} times: {what}", markup=False, highlight=False)
    if verdicts:
        console.print(_target_table(verdicts))


def write(path: Path, figures: Figures, verdicts: Sequence[Verdict]) -> None:
    """Writes everything as JSON.

    Args:
        path: the file; its folder is made when missing.
        figures: of the run.
        verdicts: on the targets.

    Raises:
        OutputError: it cannot be written.
    """
    write_json(path, asdict(figures), verdicts)


def write_json(path: Path, figures: dict[str, Any], verdicts: Sequence[Verdict]) -> None:
    """Writes figures of any bench, in one step; a figure that is missing (NaN) becomes null.

    Args:
        path: the file; its folder is made when missing.
        figures: of the run, JSON values.
        verdicts: on the targets.

    Raises:
        OutputError: it cannot be written.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": figures,
        "targets": [{**asdict(verdict), "is_met": verdict.is_met} for verdict in verdicts],
    }
    text = json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).replace(path)
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error


def _load_table(figures: Figures) -> Table:
    table = Table(title="Closed-loop load through the gateway, medians over the rounds")
    for heading in (
        "clients", "requests/s", "P50 ms", "P95 ms", "P99 ms", "in-process/s", "ratio",
        "baseline/s", "ratio", "foreign CPU", "repeats",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for load in figures.loads:
        served = load.contestants[GATEWAY]
        latency = served.latency
        foreign = [
            ratio for measured in load.contestants.values() for ratio in measured.foreign_ratios
        ]
        table.add_row(
            str(load.clients),
            f"{served.throughput_rps:.1f}",
            *(f"{ms:.1f}" for ms in (latency.p50_ms, latency.p95_ms, latency.p99_ms)),
            *_beside(load.contestants.get(IN_PROCESS), load.ratios.get(IN_PROCESS)),
            *_beside(load.contestants.get(BASELINE), load.ratios.get(BASELINE)),
            f"{min(foreign):.0%} to {max(foreign):.0%}",
            str(sum(measured.repeats for measured in load.contestants.values())),
        )
    return table


def _beside(measured: Measured | None, ratio: float | None) -> tuple[str, str]:
    rate = "" if measured is None else f"{measured.throughput_rps:.1f}"
    return rate, "" if ratio is None else f"{ratio:.2f}"


def _cpu_table(figures: Figures) -> Table:
    table = Table(title=f"CPU milliseconds a request at {TARGET_CLIENTS} clients")
    table.add_column("measured")
    table.add_column("process")
    table.add_column("CPU ms", justify="right")
    load = next(load for load in figures.loads if load.clients == TARGET_CLIENTS)
    for contestant, measured in load.contestants.items():
        for process, cpu_ms in measured.cpu_ms_per_request.items():
            if cpu_ms >= 0.005:
                table.add_row(contestant, process, f"{cpu_ms:.2f}")
        total_ms = sum(measured.cpu_ms_per_request.values())
        table.add_row(contestant, "all", f"{total_ms:.2f}", style="bold")
        table.add_row(contestant, "cores idle", f"{measured.idle_ratio:.0%}", end_section=True)
    return table


def _target_table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="Targets")
    table.add_column("target")
    table.add_column("wanted", justify="right")
    table.add_column("measured", justify="right")
    table.add_column("")
    for verdict in verdicts:
        bound = "at least" if verdict.is_lower_bound else "below"
        table.add_row(
            verdict.name,
            f"{bound} {verdict.limit:g} {verdict.unit}".rstrip(),
            verdict.shown,
            "[green]met[/]" if verdict.is_met else "[red]MISSED[/]",
        )
    return table


def _without_nan(value: Any) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
