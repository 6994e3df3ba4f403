"""What the loop must show, by the timeline of a whole run that is kept here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.demo_loop.timeline import (
    DRIFT,
    RAMPED,
    RETRAINED,
    ROLLED_BACK,
    STORY,
    Answered,
    Event,
    Timeline,
    answered_before,
    missing,
)

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text(encoding="utf-8"))
EVENTS = [Event(**each) for each in RECORDED["events"]]
ANSWERS = [Answered(**each) for each in RECORDED["answers"]]


def at(name: str) -> float:
    return next(each.at_s for each in EVENTS if each.name == name)


def place(name: str) -> int:
    return answered_before(ANSWERS, next(each for each in EVENTS if each.name == name))


def accuracy(start: int, end: int, variant: str = "") -> float:
    chosen = [each.is_right for each in ANSWERS[start:end] if variant in {"", each.variant}]
    return sum(chosen) / len(chosen)


def test_recorded_run_shows_the_whole_story_in_its_order_within_ten_minutes() -> None:
    assert missing(EVENTS) == []
    assert EVENTS[-1].at_s < 600


def test_recorded_run_drifted_in_what_was_shifted_and_not_before() -> None:
    assert at(DRIFT) > at("shifted")
    detail = next(each.detail for each in EVENTS if each.name == DRIFT)
    assert "text_properties" in detail or "text_embedding" in detail
    assert "image" not in detail


def test_recorded_run_lost_accuracy_by_the_shift_and_won_some_back() -> None:
    shifted, retrained = place("shifted"), place(RETRAINED)
    before, after = accuracy(0, shifted), accuracy(shifted, retrained)
    candidate = next(each.detail for each in EVENTS if each.name == RETRAINED).partition(":")[0]

    assert after < before - 0.1
    assert accuracy(retrained, place(RAMPED), candidate) > after


def test_recorded_run_took_all_traffic_from_the_bad_variant() -> None:
    assert {each.variant for each in ANSWERS} >= {"openmoji-broken"}
    assert "openmoji-broken" not in {each.variant for each in ANSWERS[-60:]}
    assert at(ROLLED_BACK) > at(RAMPED)


@pytest.mark.parametrize("name", STORY)
def test_missing_names_what_did_not_happen(name: str) -> None:
    assert missing([each for each in EVENTS if each.name != name]) == [name]


def test_missing_minds_the_order() -> None:
    assert missing([Event(0.0, name, "") for name in reversed(STORY)]) == list(STORY[1:])


def test_timeline_says_each_event_and_leaves_json_and_a_picture(tmp_path: Path) -> None:
    said: list[str] = []
    timeline = Timeline(said.append, answers=ANSWERS)
    timeline.note(DRIFT, "text_embedding")
    timeline.save(tmp_path)

    assert "drift raised" in said[0]
    assert json.loads((tmp_path / "timeline.json").read_text())["events"][0]["name"] == DRIFT
    assert (tmp_path / "timeline.png").stat().st_size > 10_000
