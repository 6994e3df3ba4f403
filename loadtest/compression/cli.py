"""The command line of the compression bench. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

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
from loadtest.compression.run import judge, measure

_QUICK_S = 0.5

app = new_app()


@app.command(epilog="Example: python -m loadtest.compression --variant stamps")
def main(  # a command has as many as it has options
    *,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of each window, in seconds.")
    ] = 8.0,
    output: OutputOption = Path(".bench/compression.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
    compressed: Annotated[
        str | None,
        typer.Option(
            help="Variant to hold against it: `name` or `name@digest`.",
            show_default="the variant's name and -int8",
        ),
    ] = None,
    quick: QuickOption = False,
) -> None:
    """Measure a compressed variant against its original, both served; about two minutes."""
    console = Console()
    name = compressed or f"{variant.partition('@')[0]}-int8"
    with told_by_exit_code(output):
        subject = read_subject(model_repository, variant, output)
        smaller = read_subject(model_repository, name, output)
        gain = measure(subject, smaller, _QUICK_S if quick else seconds, Narrator(console))
        verdicts = () if quick else judge(gain)
        figures = {
            "machine": asdict(this_machine()),
            "variants": [
                f"{each.variant.name}@{each.variant.digest}" for each in (subject, smaller)
            ],
            **asdict(gain),
        }
        report.write_json(output, figures, verdicts)
    conclude(console, verdicts, output)
