"""`python -m loadtest.demo_loop`: tells the story, prints its timeline, leaves plots."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from deploy.local.errors import LocalError
from exporters.errors import ExporterError
from loadtest.demo_loop.story import StoryError, tell
from loadtest.demo_loop.timeline import DRIFT, ROLLED_BACK, Timeline
from loadtest.demo_loop.verdict import faults


class Ending(StrEnum):
    """Where the story ends."""

    DRIFT = DRIFT
    ROLLED_BACK = ROLLED_BACK


def main(
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 1,
    until: Annotated[Ending, typer.Option(help="Event that the story ends with.")] = (
        Ending.ROLLED_BACK
    ),
    output: Annotated[Path, typer.Option(help="Folder for timeline, plots and logs.")] = Path(
        ".diptych/demo-loop"
    ),
    model_repository: Annotated[
        Path, typer.Option(help="Where the demo was exported to; it is copied, not changed.")
    ] = Path("model_repository"),
    judge: Annotated[
        Path | None,
        typer.Option(
            help="Run nothing: judge the timeline.json of a run.", exists=True, dir_okay=False
        ),
    ] = None,
) -> None:
    """Serve the demo to simulated users whose world changes; exit code 1 when the loop fails."""
    say = partial(print, flush=True)
    try:
        if judge is not None:
            timeline = Timeline.load(judge, say)
        else:
            timeline = tell(output, model_repository, seed, say, until)
    except (LocalError, ExporterError, StoryError) as error:
        sys.stderr.write(f"Error: {error}\n")
        raise typer.Exit(1) from error
    found = faults(timeline.events, timeline.answers, until)
    for fault in found:
        sys.stderr.write(f"The loop failed: {fault}.\n")
    if found:
        raise typer.Exit(1)
    say("All of it came true.")


if __name__ == "__main__":
    typer.run(main)
