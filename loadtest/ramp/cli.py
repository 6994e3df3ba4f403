"""The command line of the bench of ramps. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from loadtest.bench import report
from loadtest.bench.command import (
    OutputOption,
    QuickOption,
    conclude,
    new_app,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.ramp.methods import MethodFigures, compare_methods
from loadtest.ramp.plot import draw_ramps
from loadtest.ramp.scenarios import SCENARIOS, described, judge, summary
from loadtest.ramp.simulate import LEVEL, MARGIN, SHARES, Run, simulate

app = new_app()
_QUICK_RUNS: Final = 20
_CHUNK: Final = 10


@app.command(epilog="Example: python -m loadtest.ramp --runs 200 --output .bench/ramp-short.json")
def main(
    *,
    runs: Annotated[int, typer.Option(min=10, help="Ramps in each world.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="That work side by side.")] = 2,
    output: OutputOption = Path(".bench/ramp.json"),
    plot: Annotated[Path, typer.Option(help="SVG for the picture.")] = Path(".bench/ramp.svg"),
    quick: QuickOption = False,
) -> None:
    """Simulate ramps with the gateway's own decisions: how often they err, how fast they are."""
    console = Console()
    with told_by_exit_code(output):
        runs = _QUICK_RUNS if quick else runs
        with Progress(console=console) as progress:
            found = _simulate_all(progress, runs, seed, processes)
        methods = compare_methods(runs=min(runs, 1000), labels=3000, seed=seed)
        summaries = {name: summary(of_it) for name, of_it in found.items()}
        verdicts = () if quick else judge(summaries)
        report.write_json(
            output,
            {
                "machine": asdict(this_machine()),
                "level": LEVEL,
                "margin": MARGIN,
                "steps": list(SHARES),
                "seed": seed,
                "scenarios": described(),
                "ramps": summaries,
                "methods": {name: asdict(each) for name, each in methods.items()},
            },
            verdicts,
        )
        plot.parent.mkdir(parents=True, exist_ok=True)
        draw_ramps(plot, found, methods)
    _show(console, summaries, methods)
    conclude(console, verdicts, output)


def _simulate_all(progress: Progress, runs: int, seed: int, processes: int) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    # Spawned: a forked child would inherit the threads of the progress bar in the middle of a line.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for number, (name, scenario) in enumerate(SCENARIOS.items()):
            count = max(10, round(runs * scenario.part))
            first = 1_000_000 * (number + 1) + 100_000_000 * seed
            one = partial(_one, name)
            seeds = range(first, first + count)
            results = pool.map(one, seeds, chunksize=_CHUNK)
            found[name] = list(progress.track(results, total=count, description=name))
    return found


def _one(name: str, seed: int) -> Run:
    scenario = SCENARIOS[name]
    return simulate(scenario.control, scenario.candidate, longest_s=scenario.longest_s, seed=seed)


def _show(
    console: Console, found: dict[str, dict[str, object]], methods: dict[str, MethodFigures]
) -> None:
    for name, each in found.items():
        console.print(
            f"{name}: {each['runs']} ramps, completed {each['completed']:.3f}, rolled back "
            f"{each['rolled_back']:.3f}, called better {each['called_better']:.3f}, worse "
            f"{each['called_worse']:.3f}; to completion {each['seconds_to_completion']}, to "
            f"rollback {each['seconds_to_rollback']}",
            soft_wrap=True,
            highlight=False,
        )
    for method, figures in methods.items():
        console.print(
            f"{method}: errs {figures.errs}, labels needed {figures.labels_needed}",
            soft_wrap=True,
            highlight=False,
        )
