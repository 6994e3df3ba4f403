from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from exporters.drift.reference import fit_reference
from gateway.contract.drift.window import DriftTests
from gateway.contract.manifest import ModalitySet
from gateway.telemetry.drift_metrics import DriftMetrics
from gateway.watching.drift_watch import SILENT_WINDOWS, DriftWatch, Stream, WindowPolicy
from tests.drift_population import Draw, Population

if TYPE_CHECKING:
    from pathlib import Path

STREAM = Stream("demo", "a" * 64, ModalitySet.BOTH)


class Watched:
    """A watch with a clock that a test moves, on a population."""

    def __init__(self, folder: Path) -> None:
        self.registry = CollectorRegistry()
        self.now_s = 0.0
        self.population = Population(folder)
        self.generator = np.random.default_rng(31)
        self.tests = DriftTests(fit_reference(self.population.reference_data(self.generator)))
        self.watch = DriftWatch(
            WindowPolicy(items=150, seconds=60.0, false_alarm=1e-4),
            DriftMetrics(self.registry),
            lambda: self.now_s,
            random.Random(1).random,
        )
        self.watch.learn(STREAM.digest, self.tests)

    def send(self, drawn: Draw) -> None:
        for item in self.population.items(drawn, self.tests):
            self.watch.add(STREAM, item)

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.watch.tick()

    def value(self, name: str, kind: str | None = None, task: str = "") -> float | None:
        labels = {"variant": "demo", "modalities": "both"}
        if kind is not None:
            labels |= {"kind": kind, "task": task}
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_window_is_judged_when_its_time_is_up(watched: Watched) -> None:
    watched.send(watched.population.draw(200, watched.generator)[0])
    watched.pass_s(59)
    assert watched.value("diptych_drift_windows_total") is None

    watched.pass_s(1)

    assert watched.value("diptych_drift_windows_total") == 1
    assert watched.value("diptych_drift_items_total") == 150
    assert watched.value("diptych_drift_is_drifting", "agreement") == 0
    ratio = watched.value("diptych_drift_threshold_ratio", "text_embedding")
    assert ratio is not None
    assert 0 < ratio < 1


def test_window_with_too_few_items_goes_on(watched: Watched) -> None:
    watched.send(watched.population.draw(60, watched.generator)[0])
    watched.pass_s(100)
    assert watched.value("diptych_drift_windows_total") is None

    watched.send(watched.population.draw(60, watched.generator)[0])
    watched.pass_s(1)

    assert watched.value("diptych_drift_windows_total") == 1


def test_drift_is_shown_and_logged_once_and_goes_again(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for language in ("german", "german", "english"):
        watched.send(watched.population.draw(150, watched.generator, language=language)[0])
        watched.pass_s(60)
        shown = watched.value("diptych_drift_is_drifting", "text_properties")
        assert shown == (language == "german")

    events = [each.getMessage() for each in caplog.records]
    assert events == ["drift_found", "drift_over"]


def test_variant_that_lost_its_traffic_drifts_no_more(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    watched.send(watched.population.draw(150, watched.generator, language="german")[0])
    watched.pass_s(60)
    watched.pass_s(60 * SILENT_WINDOWS - 1)
    assert watched.value("diptych_drift_is_drifting", "text_properties") == 1

    watched.pass_s(1)

    assert watched.value("diptych_drift_is_drifting", "text_properties") == 0
    assert watched.value("diptych_drift_threshold_ratio", "text_properties") == 0
    assert [each.getMessage() for each in caplog.records] == ["drift_found", "drift_over"]


def test_task_that_drifts_is_named_and_the_other_is_not(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = ("place", "mood")
    data = watched.population.reference_data(watched.generator, tasks=tasks)
    tests = DriftTests(fit_reference(data))
    watched.watch.learn(STREAM.digest, tests)
    drawn, _ = watched.population.draw(150, watched.generator)
    for item in watched.population.items(drawn, tests, tasks):
        said = {**item.answers, "mood": ("food", 0.5)}
        watched.watch.add(STREAM, replace(item, answers=said))
    watched.pass_s(60)

    shown = [watched.value("diptych_drift_is_drifting", "labels", task) for task in tasks]
    assert shown == [0, 1]
    assert watched.value("diptych_drift_is_drifting", "labels") is None
    assert {each.getMessage() for each in caplog.records} == {"drift_found"}


def test_draws_are_spread_over_the_window(watched: Watched) -> None:
    drawn = [0, 0, 0]
    for window in range(3):
        for _ in range(6000):
            drawn[window] += watched.watch.draw(STREAM)
            watched.now_s += 0.01

    assert drawn[0] == 180  # the first: nothing was known of the number
    # 1.2 times what a window holds, give or take four deviations.
    assert drawn[1] == pytest.approx(180, abs=55)
    assert drawn[2] == pytest.approx(180, abs=55)


@pytest.mark.parametrize("rate", [20, 100, 1000])
def test_first_window_is_drawn_no_faster_than_its_time_passes(watched: Watched, rate: int) -> None:
    draws = []
    for _ in range(60 * rate):
        draws.append(watched.watch.draw(STREAM))
        watched.now_s += 1 / rate

    # 100 at once, which any window needs; of the 80 others half in half the time.
    assert sum(draws[: 30 * rate]) == pytest.approx(140, abs=1)
    assert sum(draws) == pytest.approx(180, abs=1)


def test_digest_without_a_reference_is_not_drawn(watched: Watched) -> None:
    assert not watched.watch.draw(Stream("other", "b" * 64, ModalitySet.TEXT))


def test_digest_that_is_gone_is_forgotten(watched: Watched) -> None:
    watched.send(watched.population.draw(150, watched.generator)[0])

    watched.watch.keep(())
    watched.pass_s(60)

    assert watched.watch.tests(STREAM.digest) is None
    assert watched.value("diptych_drift_windows_total") is None
