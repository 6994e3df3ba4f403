"""The command line of the comparison with k6. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

from contextlib import ExitStack
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
    RepositoryOption,
    VariantOption,
    conclude,
    new_app,
    read_subject,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.bench.narrator import Narrator
from loadtest.k6.compare import judge, measure
from loadtest.traffic.order import Order
from loadtest.traffic.scenario import SCENARIOS, read_scenario

_SCENARIO: Final = "like-k6"

app = new_app()


@app.command(epilog="Example: python -m loadtest.k6 --url http://127.0.0.1:8080")
def main(
    *,
    url: Annotated[
        str | None, typer.Option(help="REST API to ask. Without it the stack is started.")
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0.01, max=100.0, help="Factor for the rate of 25 a second.")
    ] = 1.0,
    output: OutputOption = Path(".bench/k6.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
) -> None:
    """Send one scenario by k6 and by our own senders, in turns; about four minutes."""
    console = Console()
    with told_by_exit_code(output), ExitStack() as running:
        scenario = read_scenario(SCENARIOS, _SCENARIO).adjusted(scale)
        if url is None:
            subject = read_subject(model_repository.absolute(), variant, output)
            host, port = running.enter_context(subject.stack()).address
            url = f"http://{host}:{port}"
        order = Order(name=_SCENARIO, scenario=scenario, url=url, grpc_target=None, samples="")
        agreement = measure(order, Narrator(console))
        verdicts = judge(agreement)
        machine = asdict(this_machine())
        report.write_json(output, {"machine": machine, **asdict(agreement)}, verdicts)
    conclude(console, verdicts, output)
