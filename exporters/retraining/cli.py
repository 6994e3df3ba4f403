"""The command `retrain`; `exporters.cli` takes it up."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from exporters.recipe import load_recipe
from exporters.retraining.schedule import repeat, sigterm_as_interrupt
from exporters.since import moment_of, period_of
from exporters.workspace import DEFAULT_WORKSPACE, Workspace

EXIT_REFUSED: Final = 1


def retrain(  # noqa: PLR0913, PLR0917  # a command has as many as it has options
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="name or path of a recipe")],
    capture: Annotated[
        list[Path],
        typer.Option(
            help="folder that a gateway captures to; repeat for more",
            envvar="DIPTYCH_GATEWAY_CAPTURE_FOLDER",
        ),
    ],
    database: Annotated[
        str,
        typer.Option(
            help="the gateway's database, which has the feedback; URLs with a password belong "
            "into the variable",
            envvar="DIPTYCH_GATEWAY_DATABASE_URL",
            show_envvar=True,
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(help="leave out older predictions: 30d, 12h, 2026-03-01", show_default="all"),
    ] = None,
    live: Annotated[
        str | None, typer.Option(help="variant that serves now", show_default="the recipe's")
    ] = None,
    recent_share: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="of the loss that recent examples have")
    ] = 0.5,
    margin: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.5, help="loss of accuracy on recent examples that must be ruled out"
        ),
    ] = 0.02,
    original_margin: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="loss of accuracy on original examples that is taken"),
    ] = 0.05,
    gateway: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="gateway to register the candidate at, with 0 per cent and a shadow",
            show_default="none; the rules are written to a file",
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(help="of scope admin", envvar="DIPTYCH_API_KEY", show_envvar=True),
    ] = None,
    shadow_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="of live requests that the candidate sees")
    ] = 0.05,
    every: Annotated[
        str | None,
        typer.Option(help="do it again after so long, such as 24h or 7d", show_default="once"),
    ] = None,
    workspace: Annotated[
        Path, typer.Option("--workspace", help="folder of data sets, features, heads and reports")
    ] = DEFAULT_WORKSPACE,
    model_repository: Annotated[
        Path, typer.Option("--model-repository", help="folder that Triton serves models from")
    ] = Path("model_repository"),
) -> None:
    """Makes the next candidate of a recipe from its data and from feedback.

    Captured features are joined with their labels, weighed, and fitted beside the original data.
    The candidate is published, with its parity proof, when it is no worse than the live variant on
    the same recent examples; else nothing is, and the exit code is 1. It gets no traffic by itself.
    """
    period = period_of(every)
    # What is wrong is said before anything is loaded.
    moment_of(since)
    load_recipe(recipe)
    asked = _Asked(
        recipe=recipe,
        captures=capture,
        database=database,
        since=since,
        live=live,
        recent_share=recent_share,
        margins=(margin, original_margin),
        shadow_share=shadow_share,
        gateway=gateway,
        api_key=api_key,
        workspace=workspace,
        model_repository=model_repository,
    )
    if period is None:
        with sigterm_as_interrupt():
            _retrain(asked)
        return
    repeat(partial(_retrain, asked), period.total_seconds(), partial(print, flush=True))


@dataclass(frozen=True)
class _Asked:
    """The options, as they were given: a round of a schedule reads recipe and moment anew."""

    recipe: str
    captures: list[Path]
    database: str
    since: str | None
    live: str | None
    recent_share: float
    margins: tuple[float, float]
    shadow_share: float
    gateway: str | None
    api_key: str | None
    workspace: Path
    model_repository: Path


def _retrain(asked: _Asked) -> None:
    from exporters.compression_cli import print_warnings
    from exporters.retraining.errors import WorseCandidateError
    from exporters.retraining.judgement import Bounds
    from exporters.retraining.register import register
    from exporters.retraining.run import Request
    from exporters.retraining.run import retrain as make_candidate

    request = Request(
        captures=asked.captures,
        database=asked.database,
        since=moment_of(asked.since),
        live=asked.live,
        recent_share=asked.recent_share,
        bounds=Bounds(*asked.margins),
        shadow_share=asked.shadow_share,
    )
    workspace = Workspace(asked.workspace)
    try:
        done = make_candidate(load_recipe(asked.recipe), workspace, asked.model_repository, request)
    except WorseCandidateError as error:
        sys.stderr.write(f"{error}\n{error.remedy}\n")
        sys.exit(EXIT_REFUSED)
    print(f"Recent feedback:   {done.judgement.recent}")
    print(f"Original examples: {done.judgement.original}")
    for modalities, ensemble in done.published.ensembles.items():
        print(f"Published for {modalities}: {ensemble}")
    print_warnings(done.published.warnings)
    print(f"Report: {done.report}")
    if asked.gateway is None:
        print(f"It gets no traffic yet. Experiment at 0 per cent, and shadow: {done.rules_file}")
        return
    register(done.rules, done.rules_file, asked.gateway, asked.api_key)
    print(
        f"Registered as '{done.rules.name}' at 0 per cent, shadow {asked.shadow_share:.0%}. When "
        f"Triton serves it: POST {asked.gateway}/v1/admin/experiments/{done.rules.name}/ramp/start"
    )
