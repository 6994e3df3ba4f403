from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.manifest import ModalitySet
from gateway.receipts import receipt_pb2
from gateway.receipts.codec import MAX_LABELS_BYTES, decode, encode
from gateway.receipts.receipt import DrawnArm
from gateway.routing.reason import Reason
from tests.gateway.receipts.receipts import DRAW, make_receipt, predicted_task

if TYPE_CHECKING:
    from gateway.receipts.receipt import Receipt

# Scores are kept to 1/16383, rounded to the nearest.
_SCORE_TOLERANCE = 0.5 / 16383


def assert_same(one: Receipt, other: Receipt) -> None:
    for mine, theirs in zip(one.tasks, other.tasks, strict=True):
        assert mine.scores == pytest.approx(theirs.scores, abs=_SCORE_TOLERANCE)
    assert replace(one, tasks=()) == replace(other, tasks=())
    assert [replace(each, scores=()) for each in one.tasks] == [
        replace(each, scores=()) for each in other.tasks
    ]


@pytest.mark.parametrize("modalities", ModalitySet)
@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize(
    "draw",
    [
        None,
        DRAW,
        # Half is a number that a float of 32 bits holds.
        DrawnArm("heads", "00000000", "search", "other", 0.5, is_sticky=False),
    ],
)
def test_decode_gives_what_was_encoded(
    modalities: ModalitySet, reason: Reason, draw: DrawnArm | None
) -> None:
    receipt = make_receipt(modalities=modalities, reason=reason, draw=draw, unit=None)
    assert_same(decode(encode(receipt)), receipt)


_labels = st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=9, unique=True)


@given(labels=_labels, scores=st.lists(st.floats(0, 1), max_size=9))
def test_decode_of_several_labels_keeps_each_or_the_digest(
    labels: list[str], scores: list[float]
) -> None:
    task = predicted_task(*labels, name="traits", kind="several", scores=tuple(scores))
    (read,) = decode(encode(make_receipt(tasks=(task,)))).tasks
    assert read.digest == task.digest
    assert read.labels in {task.labels, None}
    assert read.scores == pytest.approx(task.scores, abs=_SCORE_TOLERANCE)


def test_encode_no_label_applies_differs_from_labels_left_out() -> None:
    nothing = predicted_task(name="traits", kind="several", scores=())
    (read,) = decode(encode(make_receipt(tasks=(nothing,)))).tasks
    assert read.labels == ()
    assert read.value == "[]"


def test_encode_long_labels_are_kept_by_their_digest() -> None:
    task = predicted_task("x" * (MAX_LABELS_BYTES + 1))
    encoded = encode(make_receipt(tasks=(task,)))
    (read,) = decode(encoded).tasks
    assert len(encoded) < MAX_LABELS_BYTES
    assert (read.labels, read.value, read.digest) == (None, None, task.digest)


def test_encode_every_reason_has_a_number() -> None:
    assert {each.name for each in Reason} == set(receipt_pb2.Reason.keys())
