"""The command line of the bench. For exit codes see `command`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtest.bench import report
from loadtest.bench.command import (
    DEFAULT_REPOSITORY,
    DEFAULT_VARIANT,
    EXIT_MISSED,
    OutputOption,
    QuickOption,
    RepositoryOption,
    VariantOption,
    log_folder,
    new_app,
    told_by_exit_code,
)
from loadtest.bench.narrator import Narrator
from loadtest.bench.plan import Plan
from loadtest.bench.run import run
from loadtest.bench.targets import judge

_TABLE_WIDTH: Final = 120  # in a log, where there is no terminal that has one

app = new_app()


@app.command(epilog="Example: python -m loadtest.bench --seconds 6 --output .bench/slow.json")
def bench(
    *,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=60.0, help="Length of a window, in seconds.")
    ] = 4.0,
    output: OutputOption = Path(".bench/main.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
    quick: QuickOption = False,
) -> None:
    """Measure the service on this machine against its targets; about four minutes.

    Throughput and latency through the gateway at 1, 8 and 16 clients, in turns with the same work
    in-process and with a plain FastAPI service; CPU by process, memory, start.
    """
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _TABLE_WIDTH)
    plan = Plan.quick() if quick else Plan.full(seconds)
    with told_by_exit_code(output):
        figures = run(model_repository, variant, plan, log_folder(output), Narrator(console))
        verdicts = () if quick else judge(figures)
        report.write(output, figures, verdicts)
    report.show(console, figures, verdicts)
    console.print(f"Figures: {output}", soft_wrap=True, highlight=False)
    if figures.failures or not all(verdict.is_met for verdict in verdicts):
        raise typer.Exit(EXIT_MISSED)
