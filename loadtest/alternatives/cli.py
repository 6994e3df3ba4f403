"""The command line of the comparisons. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtest.alternatives.brakes import compare_brakes
from loadtest.alternatives.servers import compare_servers
from loadtest.bench import report
from loadtest.bench.command import (
    DEFAULT_REPOSITORY,
    DEFAULT_VARIANT,
    OutputOption,
    QuickOption,
    RepositoryOption,
    VariantOption,
    conclude,
    log_folder,
    read_subject,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.bench.narrator import Narrator
from loadtest.overload.run import Plan

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

_QUICK_S: Final = 0.5

HaProxyOption = Annotated[
    Path | None,
    typer.Option(
        "--haproxy",
        exists=True,
        dir_okay=False,
        help="The program HAProxy; without it the one on the PATH, or none.",
    ),
]


@app.callback()
def main() -> None:
    """Compare what else could stand where the gateway's gate stands."""


@app.command(epilog="Example: python -m loadtest.alternatives brakes --seconds 10")
def brakes(
    *,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of each overload, in seconds.")
    ] = 10.0,
    haproxy: HaProxyOption = None,
    output: OutputOption = Path(".bench/brakes.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
    quick: QuickOption = False,
) -> None:
    """Send the same overloads to this gateway, to one without a brake, and through HAProxy.

    HAProxy's limit is set by hand, to several values in turn; about five minutes.
    """
    console = Console()
    narrator = Narrator(console)
    plan = Plan.quick() if quick else Plan(overload_s=seconds)
    with told_by_exit_code(output):
        subject = read_subject(model_repository, variant, output)
        sustained_rps, figures = compare_brakes(
            subject, _program(haproxy, narrator), plan, narrator
        )
        written = {
            "machine": asdict(this_machine()),
            "variant": f"{subject.variant.name}@{subject.variant.digest}",
            "seconds": plan.overload_s,
            "sustainable_rps": sustained_rps,
            "brakes": [asdict(each) for each in figures],
        }
        report.write_json(output, written, ())
    conclude(console, (), output)


@app.command(epilog="Example: python -m loadtest.alternatives servers --seconds 5")
def servers(
    *,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=600.0, help="Length of each window, in seconds.")
    ] = 3.0,
    haproxy: HaProxyOption = None,
    output: OutputOption = Path(".bench/servers.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
    quick: QuickOption = False,
) -> None:
    """Measure the CPU time that uvicorn, Granian, Hypercorn and HAProxy cost by themselves.

    Those that are not installed are left out (`pip install granian hypercorn`); under a minute.
    """
    console = Console()
    narrator = Narrator(console)
    with told_by_exit_code(output):
        subject = read_subject(model_repository, variant, output)
        found = compare_servers(
            subject.corpus,
            _program(haproxy, narrator),
            _QUICK_S if quick else seconds,
            log_folder(output),
            narrator,
        )
        written = {"machine": asdict(this_machine()), "servers": [asdict(each) for each in found]}
        report.write_json(output, written, ())
    conclude(console, (), output)


def _program(given: Path | None, narrator: Narrator) -> Path | None:
    found = given or shutil.which("haproxy")
    if found is None:
        narrator.say("no haproxy on the PATH and none given by --haproxy: left out")
        return None
    return Path(found)
