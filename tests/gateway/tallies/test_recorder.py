from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.routing.plan import Draw
from gateway.routing.reason import Reason
from gateway.tallies.recorder import TallyRecorder
from gateway.tallies.tally import TallyKey

if TYPE_CHECKING:
    from gateway.tallies.tally import Tally

DRAW = Draw(
    "heads", "other", Reason.ASSIGNED, is_sticky=True, revision="r1", share=0.1, drawn_for="user-1"
)


def only(recorder: TallyRecorder) -> Tally:
    return recorder.tallies()[TallyKey("heads", "r1", "other")]


def test_unit_is_counted_once_and_its_answers_each() -> None:
    recorder = TallyRecorder()
    for unit in ("user-1", "user-1", "user-2"):
        recorder.observe(replace(DRAW, drawn_for=unit), "other", "ok", 0.1)
    tally = only(recorder)
    assert (tally.units, tally.answers, sum(tally.latency.values())) == (2, 3, 3)
    assert tally.share == 0.1


def test_request_without_a_unit_is_one_by_itself() -> None:
    recorder = TallyRecorder()
    for _ in range(3):
        recorder.observe(replace(DRAW, is_sticky=False, drawn_for=""), "other", "ok", 0.1)
    assert only(recorder).units == 3


@pytest.mark.parametrize(
    ("outcome", "failures", "shed"),
    [
        ("backend_failure", 1, 0),
        ("deadline_exceeded", 1, 0),
        ("overloaded", 0, 1),
        ("input_fault", 0, 0),
        ("cancelled", 0, 0),
    ],
)
def test_what_went_wrong_is_told_apart(outcome: str, failures: int, shed: int) -> None:
    recorder = TallyRecorder()
    recorder.observe(DRAW, "other", outcome, None)
    recorder.observe(DRAW, "other", outcome, None)
    tally = only(recorder)
    assert (tally.failures, tally.shed) == (2 * failures, 2 * shed)
    assert tally.failed_units == failures
    assert tally.units == failures + shed


def test_overrides_and_stand_ins_are_not_counted() -> None:
    recorder = TallyRecorder()
    recorder.observe(replace(DRAW, reason=Reason.UNIT_OVERRIDE), "other", "ok", 0.1)
    recorder.observe(DRAW, "demo", "ok", 0.1)
    assert recorder.tallies() == {}


def test_unit_counts_again_with_other_weights() -> None:
    recorder = TallyRecorder()
    recorder.observe(DRAW, "other", "ok", 0.1)
    recorder.observe(replace(DRAW, revision="r2"), "other", "ok", 0.1)
    assert {key.revision: tally.units for key, tally in recorder.tallies().items()} == {
        "r1": 1,
        "r2": 1,
    }


def test_tallies_that_were_returned_do_not_change() -> None:
    recorder = TallyRecorder()
    recorder.observe(DRAW, "other", "ok", 0.1)
    before = recorder.tallies()
    recorder.observe(DRAW, "other", "ok", 0.1)
    assert next(iter(before.values())).answers == 1
