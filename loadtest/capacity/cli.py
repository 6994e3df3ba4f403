"""`python -m loadtest profile`, `plan`, `validate`; exit codes as in `loadtest.bench.command`."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console

from loadtest.bench import report
from loadtest.bench.command import (
    DEFAULT_REPOSITORY,
    DEFAULT_VARIANT,
    EXIT_MISSED,
    OutputOption,
    RepositoryOption,
    VariantOption,
    conclude,
    read_subject,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.bench.narrator import Narrator
from loadtest.capacity.duration import milliseconds
from loadtest.capacity.helm_values import values_yaml
from loadtest.capacity.measuring import first_answer_s, measure_profile
from loadtest.capacity.planning import Plan, Wish, make_plan
from loadtest.capacity.profile import read_profile, write_profile
from loadtest.capacity.validation import judge, plot, take_rounds

if TYPE_CHECKING:
    from loadtest.bench.load import Server

PROFILE: Final = Path(".bench/profile.json")
_PROFILE_PART_S: Final = 2.0  # of those beside loads

ProfileOption = Annotated[Path, typer.Option("--profile", help="Profile to plan with.")]


def profile(
    *,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of each part, in seconds.")
    ] = 5.0,
    output: OutputOption = PROFILE,
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
) -> None:
    """Measure what each step of a variant takes on this device, by size of batch.

    Starts the service, calls each step by itself and all at once, and reads Triton's statistics.
    """
    narrator = Narrator(Console())
    with told_by_exit_code(output):
        subject = read_subject(model_repository.absolute(), variant, output)
        begun_s = time.perf_counter()
        with subject.stack() as stack:
            start_s = _start_s(subject.server(stack.address), begun_s)
            measured = measure_profile(subject, stack, start_s, seconds, narrator)
        write_profile(output, measured.profile)
    for step in measured.profile.steps:
        times = ", ".join(f"{size}: {ms:.2f} ms" for size, ms in step.service_ms.items())
        narrator.say(f"{step.name}, by batch: {times}")
    narrator.say(f"Profile: {output}")


def _start_s(server: Server, begun_s: float) -> float:
    """From the start of the first process on: what a pod takes beside its image and its node."""
    return max(1.0, first_answer_s(server, begun_s))


def plan(  # noqa: PLR0913  # each is an option
    *,
    rps: Annotated[float, typer.Option(min=0.1, max=1e7, help="Requests a second at the peak.")],
    p99: Annotated[
        str, typer.Option(help="99 of 100 answers come within this: `500ms` or `0.5s`.")
    ] = "500ms",
    profile_file: ProfileOption = PROFILE,
    night_ratio: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Demand at midnight, of the peak.")
    ] = 0.2,
    burst: Annotated[
        float, typer.Option(min=1.0, max=100.0, help="Bursts of five minutes: times the demand.")
    ] = 1.5,
    max_shed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of a day that may be refused.")
    ] = 0.001,
    pods_per_node: Annotated[
        int, typer.Option(min=1, max=64, help="Tritons that are lost with a node.")
    ] = 1,
    pod_start: Annotated[
        float | None, typer.Option(min=1.0, help="Start of a pod, in seconds; the profile's else.")
    ] = None,
    pool: Annotated[Literal["cpu", "gpu"], typer.Option(help="Pool of the device.")] = "cpu",
    autoscaler: Annotated[
        Literal["hpa", "keda", "none"], typer.Option(help="What scales the pool.")
    ] = "keda",
    output: Annotated[Path, typer.Option(help="File for the Helm values.")] = Path(
        ".bench/plan-values.yaml"
    ),
) -> None:
    """Plan replicas, batches and autoscaling for a load, by simulation from a profile.

    Exit code 1: the plan does not keep what was asked for, and says which part.
    """
    console = Console()
    narrator = Narrator(console)
    with told_by_exit_code(output):
        known = read_profile(profile_file)
        if pod_start is not None:
            known = known.model_copy(update={"pod_start_s": pod_start})
        wish = Wish(
            peak_rps=rps,
            p99_ms=milliseconds(p99, "--p99"),
            night_ratio=night_ratio,
            burst_factor=burst,
            max_shed_ratio=max_shed,
            pods_per_node=pods_per_node,
            has_autoscaler=autoscaler != "none",
        )
        made = make_plan(known, wish, narrator.say)
        scratch = output.with_suffix(".new")
        scratch.write_text(
            values_yaml(made, "gpuPool" if pool == "gpu" else "cpuPool", autoscaler),
            encoding="utf-8",
        )
        scratch.replace(output)
    for line in _lines(made):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"Helm values: {output}", soft_wrap=True, highlight=False)
    if not made.is_within:
        raise typer.Exit(EXIT_MISSED)


def validate(
    *,
    seconds: Annotated[
        float,
        typer.Option(min=1.0, max=600.0, help="Length of each load, all rounds together."),
    ] = 90.0,
    output: OutputOption = Path(".bench/plan.json"),
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: VariantOption = DEFAULT_VARIANT,
) -> None:
    """Hold the simulation against the real service at several loads; 1 when 15 per cent off.

    Three rounds of all loads, a profile before and behind each, on the same running service.
    """
    console = Console()
    part_s = min(seconds, _PROFILE_PART_S)
    narrator = Narrator(console)
    with told_by_exit_code(output):
        subject = read_subject(model_repository.absolute(), variant, output)
        begun_s = time.perf_counter()
        with subject.stack() as stack:
            server = subject.server(stack.address)
            start_s = _start_s(server, begun_s)
            measure = partial(measure_profile, subject, stack, start_s, part_s, narrator)
            rounds = take_rounds(server, measure, seconds, narrator)
        for each in rounds.loads:
            narrator.say(f"all rounds: {each}")
        verdicts = judge(rounds.loads)
        figures = {
            "machine": asdict(this_machine()),
            "profiles": [each.profile.model_dump(mode="json") for each in rounds.measured],
            "rounds": [[asdict(each) for each in loads] for loads in rounds.compared],
            "loads": [asdict(each) for each in rounds.loads],
        }
        report.write_json(output, figures, verdicts)
        plot(output.with_suffix(".png"), rounds.loads)
    conclude(console, verdicts, output)


def _lines(made: Plan) -> list[str]:
    best, scaling = made.sustained, made.scaling
    branch = best.profile.branches[0]
    if made.wish.has_autoscaler:
        size = (
            f"Autoscaler: {scaling.fewest} to {scaling.most} Tritons at "
            f"{scaling.target_rps:.1f}/s each"
        )
    else:
        size = f"No autoscaler: {scaling.most} Tritons all day"
    return [
        f"A replica: {best.rate_rps:.1f}/s at a P99 of {best.p99_ms:.0f} ms, {best.in_flight:.1f} "
        f"in flight; batches of {branch.max_batch}, delay {branch.delay_ms:g} ms",
        f"At the peak: {made.replicas} Tritons, {made.gateways} gateways; with a node lost "
        f"{made.at_peak.shed_ratio:.2%} shed, P99 {made.at_peak.latency.p99_ms:.0f} ms",
        f"{size}; a day sheds {made.day.shed_ratio:.3%} and takes {made.day.pod_hours:.0f} pod "
        "hours",
        "Within what was asked for" if made.is_within else "NOT within what was asked for",
    ]
