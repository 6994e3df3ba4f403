"""The command line of the overload bench. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
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
from loadtest.overload.admission_cost import admission_cost, judge_cost, open_gateway
from loadtest.overload.figures import judge
from loadtest.overload.run import MULTIPLES, Plan, overload, sustainable_rps

if TYPE_CHECKING:
    from loadtest.bench.subject import Subject
    from loadtest.bench.targets import Verdict

app = new_app()


@app.command(epilog="Example: python -m loadtest.overload --seconds 10 --output .bench/short.json")
def main(
    *,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of each overload, in seconds.")
    ] = 30.0,
    output: OutputOption = Path(".bench/overload.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
    quick: QuickOption = False,
) -> None:
    """Send 2, 4 and 10 times the sustainable rate, open loop; about five minutes.

    Latency counts from the time at which a request was due. The sustainable rate is found first.
    At the end it is sent in turns to a gateway with and to one without admission.
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
    with subject.stack() as stack:
        narrator.say(f"{variant.name}@{variant.digest[:12]} is up")
        server = subject.server(stack.address)
        sustained_rps = sustainable_rps(server, plan, narrator)
        loads = [overload(server, each, sustained_rps, plan, narrator) for each in MULTIPLES]
        with open_gateway(stack.gateway, subject.log_folder) as address:
            cost = admission_cost(server, subject.server(address), plan, narrator)
    verdicts = () if is_quick else (*judge(loads), judge_cost(cost))
    figures = {
        "machine": asdict(this_machine()),
        "variant": f"{variant.name}@{variant.digest}",
        "seconds": plan.overload_s,
        "sustainable_rps": sustained_rps,
        "loads": [asdict(each) for each in loads],
        "admission_cost": asdict(cost),
    }
    report.write_json(output, figures, verdicts)
    return verdicts
