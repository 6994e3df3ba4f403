"""The command line of the bench of tracing. For exit codes see `bench.command`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loadtest.bench import report
from loadtest.bench.command import (
    OutputOption,
    QuickOption,
    conclude,
    new_app,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.tracing_cost.collector_process import running_collector
from loadtest.tracing_cost.run import judge, measure

app = new_app()

_QUICK_REQUESTS = 200


@app.command(epilog="Example: python -m loadtest.tracing_cost --requests 20000")
def main(
    *,
    requests: Annotated[int, typer.Option(min=100, help="Requests in each mode.")] = 5000,
    output: OutputOption = Path(".bench/tracing.json"),
    quick: QuickOption = False,
) -> None:
    """Measure the CPU time of a request's spans: off, not sampled, sampled; some seconds."""
    console = Console()
    with told_by_exit_code(output):
        with running_collector() as endpoint:
            costs = measure(_QUICK_REQUESTS if quick else requests, endpoint)
        for each in costs:
            console.print(
                f"{each.mode:>9}: {each.own_us:.1f} µs where requests are served, "
                f"{each.sending_us:.1f} µs beside them",
                soft_wrap=True,
                highlight=False,
            )
        verdicts = () if quick else judge(costs)
        figures = {"machine": asdict(this_machine()), "costs": [asdict(each) for each in costs]}
        report.write_json(output, figures, verdicts)
    conclude(console, verdicts, output)
