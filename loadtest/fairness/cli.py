"""The command line of the fairness bench. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

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
from loadtest.fairness.keys import KEYS_FILE_SETTING, add_key, start_keys_file
from loadtest.fairness.run import CLIENTS, judge, measure
from loadtest.overload.run import Plan

if TYPE_CHECKING:
    from loadtest.bench.subject import Subject
    from loadtest.bench.targets import Verdict

app = new_app()


@app.command(epilog="Example: python -m loadtest.fairness --seconds 10 --output .bench/short.json")
def main(
    *,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of each window, in seconds.")
    ] = 30.0,
    output: OutputOption = Path(".bench/fairness.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
    quick: QuickOption = False,
) -> None:
    """Measure a client alone and beside one that sends ten times its share; about two minutes.

    Open loop; latency counts from the time at which a request was due.
    """
    console = Console()
    plan = Plan.quick() if quick else Plan(overload_s=seconds)
    with told_by_exit_code(output):
        subject = read_subject(model_repository, variant, output)
        verdicts = _measure(subject, plan, Narrator(console), output, is_quick=quick)
    conclude(console, verdicts, output)


def _measure(
    subject: Subject, plan: Plan, narrator: Narrator, output: Path, *, is_quick: bool
) -> tuple[Verdict, ...]:
    variant = subject.variant
    with TemporaryDirectory() as folder:
        keys_file = start_keys_file(Path(folder))
        keys = {name: add_key(keys_file, name) for name in CLIENTS}
        with subject.stack({KEYS_FILE_SETTING: str(keys_file)}) as stack:
            narrator.say(f"{variant.name}@{variant.digest[:12]} is up")
            server = subject.server(stack.address)
            fairness = measure(server, keys, plan, narrator)
    verdicts = () if is_quick else judge(fairness)
    figures = {
        "machine": asdict(this_machine()),
        "variant": f"{variant.name}@{variant.digest}",
        "seconds": plan.overload_s,
        **asdict(fairness),
    }
    report.write_json(output, figures, verdicts)
    return verdicts
