"""What admission learns of the answers that come back from a backend."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateway.admission.admission import Admission
from gateway.admission.arrival import Arrival
from gateway.admission.deadline import Deadline
from gateway.api.lessons import learn
from gateway.classification.values import Classification, Scores, StageTimings
from gateway.contract.manifest import ModalitySet
from gateway.placement import Placement, PoolName
from gateway.reuse.source import Source
from tests.gateway.admission.simulated_service import BUDGET_S, KIND, SilentObserver

if TYPE_CHECKING:
    from gateway.admission.ticket import Ticket

BATCH_MS = 200.0


def answer(text_encoder_ms: float | None, latency_ms: float) -> Classification:
    timings = StageTimings(
        receive_ms=0.0,
        triton_ms=latency_ms,
        decode_ms=2.0,
        image_encoder_ms=text_encoder_ms and text_encoder_ms / 2,
        tokenise_ms=0.1,
        text_encoder_ms=text_encoder_ms,
        respond_ms=0.0,
        total_ms=latency_ms,
    )
    return Classification(
        variant="demo",
        digest="0",
        modalities=ModalitySet.BOTH,
        ranking=(),
        scores=Scores(np.zeros(1, np.float32), ("a",), 1.0),
        timings=timings,
        image_batch_size=6,
        text_batch_size=8,
        source=Source.COMPUTED,
        placement=Placement(PoolName.DEFAULT),
    )


def limit_after_batches(text_encoder_ms: float | None) -> int:
    """Sixteen are always inside, and eight of them answered every 200 ms, the oldest first."""
    now_s = 0.0
    gate = Admission(
        budget_s=BUDGET_S, max_concurrency=100, clock=lambda: now_s, observer=SilentObserver()
    )
    with ExitStack() as all_inside:
        queue: list[tuple[ExitStack, Ticket]] = []
        for step in range(20):
            now_s = step * BATCH_MS / 1000
            for inside, ticket in queue[:8]:
                latency_ms = 1000 * (now_s - ticket.admitted_s)
                learn(ticket, KIND, answer(text_encoder_ms, latency_ms))
                inside.close()
            del queue[:8]
            while len(queue) < 16 and gate.count < gate.limit:
                inside = all_inside.enter_context(ExitStack())
                ticket = inside.enter_context(gate.admit(Arrival(Deadline(now_s, 10.0))))
                ticket.start([KIND])
                queue.append((inside, ticket))
    return gate.limit


def test_lessons_tell_admission_the_time_of_the_slower_encoders_batch() -> None:
    # Two batches of eight, where two take four fifths of the budget.
    assert limit_after_batches(BATCH_MS) >= 16


def test_lessons_without_times_of_encoders_leave_the_limit_to_latency() -> None:
    # All wait for two batches, 400 ms of the 250 that are wanted.
    assert limit_after_batches(None) < 16


@pytest.mark.parametrize(
    ("text_encoder_ms", "batch"), [(BATCH_MS, (BATCH_MS, 8)), (None, None), (0.0, None)]
)
def test_classification_slower_batch_is_that_of_the_slower_encoder(
    text_encoder_ms: float | None, batch: tuple[float, int] | None
) -> None:
    assert answer(text_encoder_ms, 400.0).slower_batch == batch
