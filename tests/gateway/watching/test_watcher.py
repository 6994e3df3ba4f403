from __future__ import annotations

import dataclasses
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from gateway.admission.deadline import Deadline
from gateway.capture.draws import CapturePolicy
from gateway.catalog import build_catalog
from gateway.classification.sampling import DrawnFeatures, Ticket
from gateway.classification.values import (
    Classification,
    ClassifyRequest,
    RankedLabel,
    Scores,
    StageTimings,
)
from gateway.contract.manifest import ModalitySet
from gateway.placement import Placement, PoolName
from gateway.reuse.source import Source
from gateway.routing.subject import Subject
from gateway.telemetry.capture_metrics import CaptureMetrics
from gateway.telemetry.drift_metrics import DriftMetrics
from gateway.watching.drift_watch import DriftWatch, WindowPolicy
from gateway.watching.watcher import Watcher
from tests.gateway.feedback.entries import signed
from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from gateway.contract.capture import CapturedRow

pytestmark = pytest.mark.anyio

POLICY = CapturePolicy(1.0, 0.0, 0.5, 0.0)


class Rows:
    """Stands where the writer does, and can fail."""

    def __init__(self) -> None:
        self.rows: list[CapturedRow] = []
        self.failures = 0

    def add(self, row: CapturedRow) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a fault in one row")
        self.rows.append(row)

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Watched:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows = Rows()
        drift = DriftWatch(
            WindowPolicy(0, 1.0, 1e-4), DriftMetrics(self.registry), time.monotonic, lambda: 0.5
        )
        writer: Any = self.rows
        self.watcher = Watcher(drift, POLICY, writer, CaptureMetrics(self.registry), lambda: 0.5)

    def offer(self, image: bytes | None = None, *, is_drawn: bool = True) -> None:
        rows = {"TEXT_FEATURES": np.ones(3, np.float32)}
        drawn = DrawnFeatures(Ticket(is_watched=False, is_uniform=True), rows)
        answer = dataclasses.replace(ANSWER, features=drawn if is_drawn else None)
        request = dataclasses.replace(REQUEST, image=image)
        self.watcher.offer(request, answer, signed("food"), ())

    def dropped(self, cause: str) -> float | None:
        return self.registry.get_sample_value("diptych_watching_dropped_total", {"cause": cause})


REQUEST = ClassifyRequest(
    image=None,
    text="a text",
    top_k=1,
    variant=None,
    request_id="r",
    deadline=Deadline(0.0, 1.0),
    caller="",
    subject=Subject("r"),
)
ANSWER = Classification(
    variant="demo",
    digest="a" * 64,
    modalities=ModalitySet.TEXT,
    ranking=(RankedLabel("food", 0.9),),
    scores=Scores(np.zeros(2, np.float32), ("food", "travel"), 1.0),
    timings=StageTimings(0.0, 0.0, None, None, None, None, 0.0, 0.0),
    image_batch_size=None,
    text_batch_size=None,
    source=Source.COMPUTED,
    placement=Placement(PoolName.DEFAULT, None),
)


async def test_answers_that_find_the_queue_full_are_counted_and_passed_over() -> None:
    watched = Watched()
    for _ in range(1030):
        watched.offer()

    assert watched.dropped("queue_full") == 6
    watched.watcher.start()
    await watched.watcher.close()
    assert len(watched.rows.rows) == 1024


async def test_large_answers_fill_the_queue_by_their_bytes() -> None:
    watched = Watched()
    for _ in range(9):
        watched.offer(bytes(8 * 1024 * 1024))

    assert watched.dropped("queue_bytes") == 2  # with each comes a text of a few bytes
    watched.watcher.start()
    await watched.watcher.close()
    assert len(watched.rows.rows) == 7


async def test_fault_in_one_answer_does_not_end_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    watched.rows.failures = 1
    watched.watcher.start()
    watched.offer()
    watched.offer()
    await watched.watcher.close()

    assert len(watched.rows.rows) == 1
    assert watched.dropped("failed") == 1
    assert [each.getMessage() for each in caplog.records] == ["watching_failed"]


async def test_answer_without_features_is_not_looked_at() -> None:
    watched = Watched()
    watched.watcher.start()
    watched.offer(is_drawn=False)
    await watched.watcher.close()

    assert watched.rows.rows == []


def test_variant_without_features_is_never_drawn() -> None:
    watched = Watched()
    plain = build_catalog(make_repository()).variants["demo"]
    ensembles = {
        each: dataclasses.replace(ensemble, feature_dims={"TEXT_FEATURES": 3})
        for each, ensemble in plain.ensembles.items()
    }
    rich = dataclasses.replace(plain, ensembles=MappingProxyType(ensembles))

    assert watched.watcher.draw(plain, ModalitySet.TEXT) is None
    assert watched.watcher.draw(rich, ModalitySet.TEXT) == Ticket(is_watched=False, is_uniform=True)
