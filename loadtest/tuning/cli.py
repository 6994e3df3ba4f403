"""`python -m loadtest tune`; exit codes as in `loadtest.bench.command`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtest.bench.command import (
    DEFAULT_REPOSITORY,
    EXIT_INTERRUPTED,
    OutputOption,
    RepositoryOption,
    read_subject,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.bench.narrator import Narrator
from loadtest.capacity.duration import milliseconds
from loadtest.tuning.evidence import summary, write_evidence
from loadtest.tuning.measuring import ServedMeasure
from loadtest.tuning.recipe_file import check_output, read_recipe, write_tuned
from loadtest.tuning.search import MARGIN_RATIO, Tuning, search
from loadtest.tuning.settings import named_axes, served, usual_axes

_FIGURES: Final = Path(".bench/tune.json")


def tune(  # noqa: PLR0913  # each is an option
    recipe: Annotated[str, typer.Argument(help="Recipe that was exported: its name or file.")],
    *,
    p99: Annotated[
        str, typer.Option(help="99 of 100 answers come within this: `500ms` or `0.5s`.")
    ] = "500ms",
    tries: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="KEY=VALUES",
            help="Key of the recipe's [target] and values to try, such as text_batch=4,8,16; "
            "repeat for more. Then no others are tried.",
            show_default="batches, delays, processes and threads of both encoders",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=600.0, help="Length of each rate, in seconds.")
    ] = 5.0,
    attempts: Annotated[
        int, typer.Option(min=2, max=20, help="Rates of each setting, at most.")
    ] = 5,
    minutes: Annotated[
        float, typer.Option(min=0.1, max=1440.0, help="No new setting is begun after this.")
    ] = 60.0,
    margin: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How much more a setting has to carry.")
    ] = MARGIN_RATIO,
    write: Annotated[
        Path | None,
        typer.Option(
            help="File for the tuned recipe; the recipe's own, to replace it.",
            show_default=".bench/RECIPE.toml",
        ),
    ] = None,
    output: OutputOption = _FIGURES,
    model_repository: RepositoryOption = DEFAULT_REPOSITORY,
    variant: Annotated[
        str | None,
        typer.Option(
            help="Variant to measure: `name` or `name@digest`.", show_default="the recipe's"
        ),
    ] = None,
) -> None:
    """Search how a recipe's variant is best served here, and write that into a recipe.

    Each setting is served by a Triton of its own and loaded, open loop, at several rates; what
    counts is the highest at which P99 stays within --p99. Figures, a table and a plot are written
    as evidence. Ctrl-C: the best so far is written, and the exit code is 130.
    """
    console = Console()
    narrator = Narrator(console)
    with told_by_exit_code(output):
        axes = named_axes(tries) if tries else usual_axes(this_machine().cores)
        read, source = read_recipe(recipe)
        tuned_file = write or output.with_name(f"{read.name}.toml")
        check_output(tuned_file)
        limit_ms = milliseconds(p99, "--p99")
        subject = read_subject(model_repository.absolute(), variant or read.name, output)
        tuning = Tuning.of(read.target, axes, limit_ms)
        now = ", ".join(f"{key} {value}" for key, value in served(read.target).items())
        narrator.say(f"{tuning.possible} settings are possible; now: {now}")
        measure = ServedMeasure(subject, limit_ms, seconds, attempts, narrator.say)
        end_s = time.monotonic() + 60 * minutes
        is_interrupted = False
        try:
            search(tuning, measure, narrator.say, lambda: time.monotonic() > end_s, margin)
        except KeyboardInterrupt:
            if not tuning.measurements:
                raise
            is_interrupted = True
        conditions = {
            "variant": f"{subject.variant.name}@{subject.variant.digest}",
            "seconds": seconds,
            "attempts": attempts,
            "margin_ratio": margin,
        }
        write_evidence(output, tuning, conditions)
        write_tuned(read, source, tuning.best, tuned_file)
    console.print(summary(tuning), soft_wrap=True, highlight=False)
    beside = ", ".join(str(output.with_suffix(end)) for end in (".json", ".md", ".png"))
    console.print(f"Evidence: {beside}", soft_wrap=True, highlight=False)
    console.print(f"Recipe: {tuned_file}", soft_wrap=True, highlight=False)
    if tuning.best != tuning.current:
        command = f"python -m exporters export {tuned_file}"
        console.print(f"Serve it so: {command}", soft_wrap=True, highlight=False)
    if is_interrupted:
        console.print("Interrupted: the best so far was written.", soft_wrap=True)
        raise typer.Exit(EXIT_INTERRUPTED)
