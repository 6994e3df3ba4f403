"""What a run of the loop must have shown, by its timeline alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadtest.demo_loop.timeline import (
    DRIFT,
    QUIET,
    RAMPED,
    RETRAINED,
    ROLLED_BACK,
    SERVED,
    SHIFTED,
    answered_before,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.demo_loop.timeline import Answered, Event

STORY: Final = (SERVED, SHIFTED, DRIFT, RETRAINED, RAMPED, QUIET, ROLLED_BACK)
"""What happens, in this order."""

LONGEST_S: Final = 600.0
LEAST_LOSS: Final = 0.1
"""Of accuracy by the shift; with 240 answers before it, and hundreds after, chance is below."""

_LAST: Final = 60


def faults(
    events: Sequence[Event], answers: Sequence[Answered], until: str = ROLLED_BACK
) -> list[str]:
    """Returns what a run failed to show, a sentence each; empty when all came true.

    Args:
        events: in their order.
        answers: the same.
        until: the last of the story that was to happen.
    """
    wanted = STORY[: STORY.index(until) + 1]
    absent = _missing(events, wanted)
    if absent:
        return [f"'{name}' did not happen, or not in its order" for name in absent]
    found = {each.name: each for each in reversed(events)}  # the first of each name
    said = []
    if events[-1].at_s >= LONGEST_S:
        said.append(f"it took {events[-1].at_s:.0f} s, and {LONGEST_S:.0f} are allowed")
    if DRIFT in wanted:
        said += _drift_faults(found[DRIFT])
    if RETRAINED in wanted:
        said += _loss_faults(found, answers)
    if RAMPED in wanted:
        said += _gain_faults(found, answers)
    if ROLLED_BACK in wanted:
        said += _broken_faults(found, answers)
    return said


def candidate_of(retrained: Event) -> str:
    """Returns the name of the variant that a retraining made."""
    return retrained.detail.partition(":")[0]


def accuracy(answers: Sequence[Answered]) -> float:
    """Returns the share of answers that are right, 0 where there are none."""
    return sum(each.is_right for each in answers) / max(len(answers), 1)


def _missing(events: Sequence[Event], wanted: Sequence[str]) -> list[str]:
    place, absent = 0, []
    for name in wanted:
        at = next((i for i in range(place, len(events)) if events[i].name == name), None)
        if at is None:
            absent.append(name)
        else:
            place = at + 1
    return absent


def _drift_faults(raised: Event) -> list[str]:
    kinds = set(raised.detail.split(", "))
    said = []
    if not kinds & {"text_embedding", "text_properties"}:
        said.append(f"drift was raised in {raised.detail}, and texts were shifted")
    if blamed := kinds & {"image_embedding", "image_properties"}:
        said.append(f"drift was raised in {', '.join(sorted(blamed))}, and images were as ever")
    return said


def _loss_faults(found: dict[str, Event], answers: Sequence[Answered]) -> list[str]:
    shifted, retrained = (answered_before(answers, found[name]) for name in (SHIFTED, RETRAINED))
    before, after = accuracy(answers[:shifted]), accuracy(answers[shifted:retrained])
    if after < before - LEAST_LOSS:
        return []
    return [f"the shift cost no accuracy: {before:.0%} of the answers were right, then {after:.0%}"]


def _gain_faults(found: dict[str, Event], answers: Sequence[Answered]) -> list[str]:
    candidate = candidate_of(found[RETRAINED])
    shifted, retrained = (answered_before(answers, found[name]) for name in (SHIFTED, RETRAINED))
    before = accuracy(answers[shifted:retrained])
    after = accuracy([each for each in answers[retrained:] if each.variant == candidate])
    if after > before:
        return []
    return [f"{candidate} answers no better: {after:.0%} right, and {before:.0%} before it"]


def _broken_faults(found: dict[str, Event], answers: Sequence[Answered]) -> list[str]:
    broken = found[ROLLED_BACK].detail.partition(";")[0]
    if not any(each.variant == broken for each in answers):
        return [f"{broken} never had traffic"]
    left = sum(each.variant == broken for each in answers[-_LAST:])
    return [f"{broken} still gave {left} of the last {_LAST} answers"] if left else []
