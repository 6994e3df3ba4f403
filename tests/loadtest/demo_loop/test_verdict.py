"""What the loop must show: a whole run that is kept here shows it, and a broken one does not."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from loadtest.demo_loop.__main__ import main
from loadtest.demo_loop.timeline import (
    DRIFT,
    RETRAINED,
    ROLLED_BACK,
    SHIFTED,
    Timeline,
    answered_before,
)
from loadtest.demo_loop.verdict import STORY, candidate_of, faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.demo_loop.timeline import Answered, Event

RECORDED = Path(__file__).with_name("recorded.json")
WHOLE = Timeline.load(RECORDED, print)
BROKEN = "openmoji-broken"


def told(name: str) -> Event:
    return next(each for each in WHOLE.events if each.name == name)


def changed_event(event: str, **changes: object) -> list[Event]:
    return [
        replace(each, **changes) if each.name == event else each  # type: ignore[arg-type]
        for each in WHOLE.events
    ]


def changed_answers(change: Callable[[int, Answered], Answered]) -> list[Answered]:
    return [change(number, each) for number, each in enumerate(WHOLE.answers)]


def judged(timeline: Timeline, folder: Path) -> tuple[int, str]:
    """Asks the command."""
    file = folder / "timeline.json"
    content = {
        "events": [asdict(each) for each in timeline.events],
        "answers": [asdict(each) for each in timeline.answers],
    }
    file.write_text(json.dumps(content))
    app = typer.Typer()
    app.command()(main)
    done = CliRunner().invoke(app, ["--judge", str(file)])
    return done.exit_code, done.output


def test_recorded_run_came_true(tmp_path: Path) -> None:
    assert judged(WHOLE, tmp_path) == (0, "All of it came true.\n")


def test_run_whose_story_is_broken_fails_the_command_and_says_in_what(tmp_path: Path) -> None:
    unshifted = Timeline(
        print,
        changed_event(DRIFT, name="nothing"),
        changed_answers(lambda _, each: replace(each, variant="openmoji")),
    )

    code, said = judged(unshifted, tmp_path)

    assert code == 1
    assert "The loop failed: 'drift raised' did not happen, or not in its order." in said


@pytest.mark.parametrize("name", STORY)
def test_event_that_is_missing_is_named(name: str) -> None:
    events = [each for each in WHOLE.events if each.name != name]

    assert faults(events, WHOLE.answers) == [f"'{name}' did not happen, or not in its order"]


def test_order_counts() -> None:
    assert len(faults(WHOLE.events[::-1], WHOLE.answers)) == len(STORY) - 1


def test_story_that_was_to_end_sooner_is_judged_by_what_came() -> None:
    end = WHOLE.events.index(told(DRIFT)) + 1

    assert faults(WHOLE.events[:end], WHOLE.answers, until=DRIFT) == []
    assert len(faults(WHOLE.events[:end], WHOLE.answers)) == len(STORY) - STORY.index(DRIFT) - 1


@pytest.mark.parametrize(
    ("events", "answers", "fault"),
    [
        (changed_event(ROLLED_BACK, at_s=601.0), WHOLE.answers, "it took 601 s"),
        (changed_event(DRIFT, detail="confidence"), WHOLE.answers, "and texts were shifted"),
        (
            changed_event(DRIFT, detail="image_embedding, text_embedding"),
            WHOLE.answers,
            "drift was raised in image_embedding, and images were as ever",
        ),
        (
            WHOLE.events,
            changed_answers(
                lambda number, each: replace(
                    each, is_right=number % 3 > 0 or each.variant == candidate_of(told(RETRAINED))
                )
            ),
            "the shift cost no accuracy",
        ),
        (
            WHOLE.events,
            changed_answers(
                lambda _, each: replace(
                    each,
                    is_right=each.is_right and each.variant != candidate_of(told(RETRAINED)),
                )
            ),
            "answers no better: 0% right",
        ),
        (
            WHOLE.events,
            [each for each in WHOLE.answers if each.variant != BROKEN],
            f"{BROKEN} never had traffic",
        ),
        (
            WHOLE.events,
            [*WHOLE.answers[:-1], replace(WHOLE.answers[-1], variant=BROKEN)],
            f"{BROKEN} still gave 1 of the last 60 answers",
        ),
    ],
    ids=["slow", "other kinds", "images blamed", "no loss", "no gain", "no bad one", "not back"],
)
def test_run_that_shows_something_else_is_at_fault(
    events: list[Event], answers: list[Answered], fault: str
) -> None:
    assert [fault in each for each in faults(events, answers)] == [True]


def test_answers_before_an_event_are_counted() -> None:
    shifted = answered_before(WHOLE.answers, told(SHIFTED))

    assert 0 < shifted < answered_before(WHOLE.answers, told(RETRAINED)) < len(WHOLE.answers)
