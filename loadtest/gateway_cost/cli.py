"""The command line of the bench of the gateway's cost. For exit codes see `bench.command`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtest.bench import report
from loadtest.bench.command import (
    DEFAULT_REPOSITORY,
    DEFAULT_VARIANT,
    OutputOption,
    QuickOption,
    RepositoryOption,
    VariantOption,
    conclude,
    new_app,
    read_subject,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.bench.narrator import Narrator
from loadtest.gateway_cost.run import judge, measure

app = new_app()

_QUICK_S: Final = 1.0


@app.command(epilog="Example: python -m loadtest.gateway_cost --seconds 5")
def main(
    *,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of each window, in seconds.")
    ] = 10.0,
    output: OutputOption = Path(".bench/gateway.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
    quick: QuickOption = False,
) -> None:
    """Measure what the gateway costs before the real Triton; about a minute."""
    console = Console()
    with told_by_exit_code(output):
        subject = read_subject(model_repository, variant, output)
        figures = measure(subject, _QUICK_S if quick else seconds, Narrator(console))
        verdicts = () if quick else judge(figures)
        written = {
            "machine": asdict(this_machine()),
            "variant": f"{subject.variant.name}@{subject.variant.digest}",
            "seconds": seconds,
            **asdict(figures),
        }
        report.write_json(output, written, verdicts)
    conclude(console, verdicts, output)
