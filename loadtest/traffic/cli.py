"""`python -m loadtest run`, `worker` and `scenarios`; exit codes as in `loadtest.bench.command`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtest.bench.command import (
    DEFAULT_REPOSITORY,
    DEFAULT_VARIANT,
    OutputOption,
    RepositoryOption,
    VariantOption,
    conclude,
    log_folder,
    told_by_exit_code,
)
from loadtest.bench.narrator import Narrator
from loadtest.bench.stack import Stack
from loadtest.bench.variant import read_variant
from loadtest.traffic import address, report
from loadtest.traffic.errors import MissingGrpcTargetError, UnreachableStackError
from loadtest.traffic.figures import RunFigures, judge
from loadtest.traffic.order import Order
from loadtest.traffic.run import Crew, send, sender_command
from loadtest.traffic.scenario import SCENARIOS, Protocol, Scenario, read_scenario, read_scenarios

_SAMPLES: Final = Path(".diptych/samples")

FileOption = Annotated[
    Path, typer.Option("--file", help="File of scenarios, in TOML.", show_default="our own")
]


def run(  # noqa: PLR0913  # each is an option
    scenario: Annotated[str, typer.Argument(help="Name of the scenario; see `scenarios`.")],
    *,
    file: FileOption = SCENARIOS,
    url: Annotated[
        str | None,
        typer.Option(
            help="REST API under test: `http://host:port`. Without it the stack is started."
        ),
    ] = None,
    grpc_target: Annotated[
        str | None,
        typer.Option(help="gRPC API under test: `host:port`, or `grpcs://host:port` behind TLS."),
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0.001, max=1e6, help="Factor for all rates of the scenario.")
    ] = 1.0,
    seconds: Annotated[
        float | None, typer.Option(min=1.0, max=604_800, help="Length, in place of its own.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes here that send, under a master.")
    ] = 0,
    remote_workers: Annotated[
        int, typer.Option(min=0, max=4096, help="Workers to await from elsewhere.")
    ] = 0,
    bind: Annotated[str, typer.Option(help="Address that the master listens on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Its port; without it, a free one.")
    ] = None,
    samples: Annotated[
        Path | None, typer.Option(help="Folder of held-out samples; the variant's without it.")
    ] = None,
    output: OutputOption = Path(".bench/load.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
) -> None:
    """Send a scenario, open loop, and hold the answers against its limits.

    Writes figures (`--output`) and beside them a page with plots (`.html`). An API key is read from
    the environment: DIPTYCH_API_KEY.
    """
    console = Console()
    narrator = Narrator(console)
    with told_by_exit_code(output):
        chosen = read_scenario(file, scenario).adjusted(scale, seconds)
        crew = Crew(workers, remote_workers, bind, port)
        place = _place(scenario, chosen, crew, url, grpc_target)
        folder = (samples or _SAMPLES / variant.partition("@")[0]).absolute()

        def order(url: str, grpc: str | None) -> Order:
            return Order(
                name=scenario,
                scenario=chosen,
                url=url,
                grpc_target=grpc,
                samples=str(folder),
                senders=crew.senders,
            )

        if place is None:
            with Stack(
                model_repository.absolute(),
                read_variant(model_repository.absolute(), variant),
                log_folder(output),
            ) as stack:
                narrator.say(f"{variant} is up; {scenario} takes {chosen.duration_s:g} s")
                host, http_port = stack.address
                told = order(f"http://{host}:{http_port}", f"{host}:{stack.gateway.grpc_port}")
                replies = send(told, crew, narrator.say)
        else:
            told = order(*place)
            replies = send(told, crew, narrator.say)
        figures = RunFigures.of(chosen, replies)
        verdicts = judge(figures, chosen.limits)
        report.write_json(output, told, figures, verdicts)
        page = output.with_suffix(".html")
        report.write_html(page, told, figures, verdicts, replies)
    for line in report.lines(figures):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"Plots: {page}", soft_wrap=True, highlight=False)
    conclude(console, verdicts, output)


def _place(
    name: str, scenario: Scenario, crew: Crew, url: str | None, grpc: str | None
) -> tuple[str, str | None] | None:
    """Returns the two addresses under test; None where a stack is to be started.

    Raises:
        TrafficError: an address is none, is missing, or is not to be reached by those who send.
    """
    if url is None:
        if crew.has_senders_elsewhere:
            raise UnreachableStackError(crew.bind)
        return None
    if Protocol.GRPC in scenario.protocols and grpc is None:
        raise MissingGrpcTargetError(name)
    return address.rest_url(url), None if grpc is None else address.grpc_target(grpc)


def worker(
    *,
    master: Annotated[str, typer.Option(help="Address of the master.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 5557,
    samples: Annotated[
        Path | None, typer.Option(help="Folder of held-out samples here; the master's without it.")
    ] = None,
) -> None:
    """Send for a master on this or another machine, until it is done.

    The key, where one is needed, is read here: DIPTYCH_API_KEY.
    """
    Console().print(
        f"Waiting for a master at {master}:{port}; Ctrl-C ends.", soft_wrap=True, highlight=False
    )
    arguments = ["worker", f"--host={master}", f"--port={port}"]
    if samples is not None:
        arguments.append(f"--samples={samples}")
    try:
        status = subprocess.run(sender_command(arguments), check=False).returncode
    except KeyboardInterrupt:
        status = 130
    raise typer.Exit(status)


def scenarios(*, file: FileOption = SCENARIOS) -> None:
    """List the scenarios of a file with their limits."""
    console = Console()
    with told_by_exit_code(Path(".bench/load.json")):
        for name, each in read_scenarios(file).items():
            limits = each.limits
            console.print(
                f"{name:<9} {each.duration_s:>6g} s, up to {each.shape.most_rps:g}/s "
                f"{each.shape.kind}: {each.about}\n{'':<9} P99 {limits.p99_ms:g} ms, errors "
                f"{limits.max_error_ratio:.1%}, refused {limits.max_refused_ratio:.1%}, in time "
                f"{limits.min_goodput_ratio:.1%}",
                soft_wrap=True,
                markup=False,
                highlight=False,
            )
