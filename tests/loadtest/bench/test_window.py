"""Windows that are measured again when the machine was not calm, and turns that are fair."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from loadtest.bench.corpus import Example
from loadtest.bench.load import Server
from loadtest.bench.rounds import RepeatBudget, Turns, throughput_ratios
from loadtest.bench.window import Sample, UnderLoad, Window, measure_window
from tests.loadtest.bench.answering_server import answering
from tests.loadtest.bench.measurements import round_of, sample


@dataclass
class Scripted:
    """A contestant whose samples are known beforehand; the last one comes again and again."""

    name: str
    samples: list[Sample]
    diary: list[str] = field(default_factory=list)

    def measure(self, duration_s: float) -> Sample:
        assert duration_s == 2.0
        self.diary.append(self.name)
        return self.samples.pop(0) if len(self.samples) > 1 else self.samples[0]


def test_measure_window_calm_is_measured_once() -> None:
    contestant = Scripted("gateway", [sample(50.0, foreign_ratio=0.15)])

    window = measure_window(contestant, 2.0, lambda: True)

    assert (window.repeats, window.sample.throughput_rps, window.is_calm) == (0, 50.0, True)


def test_measure_window_disturbed_is_repeated_until_calm_with_all_failures_kept() -> None:
    contestant = Scripted(
        "gateway",
        [sample(30.0, foreign_ratio=0.4, failures=2), sample(50.0, foreign_ratio=0.1, failures=1)],
    )

    window = measure_window(contestant, 2.0, lambda: True)

    assert (window.repeats, window.sample.throughput_rps, window.is_calm) == (1, 50.0, True)
    assert window.sample.failures.total() == 3


def test_measure_window_never_calm_ends_with_the_calmest() -> None:
    contestant = Scripted(
        "gateway", [sample(rps, foreign_ratio=rps / 100) for rps in (40.0, 30.0, 35.0, 16.0)]
    )

    window = measure_window(contestant, 2.0, lambda: True)

    assert (window.repeats, window.sample.throughput_rps, window.is_calm) == (2, 30.0, False)


def test_turns_budget_of_repeats_is_shared_by_all() -> None:
    busy = Scripted("gateway", [sample(40.0, foreign_ratio=0.5)])
    told: list[tuple[int, str, int]] = []

    Turns(3, 2.0).take(
        [busy],
        RepeatBudget(3),
        lambda number, window: told.append((number, window.contestant, window.repeats)),
    )

    assert told == [(1, "gateway", 2), (2, "gateway", 1), (3, "gateway", 0)]


def test_turns_order_is_reversed_in_every_second_round() -> None:
    diary: list[str] = []
    contestants = [Scripted(name, [sample(1.0)], diary) for name in ("a", "b", "c")]

    rounds = Turns(3, 2.0).take(contestants, RepeatBudget(0), lambda *_: None)

    assert "".join(diary) == "abccbaabc"
    assert [set(windows) for windows in rounds] == [{"a", "b", "c"}] * 3


def test_throughput_ratios_are_paired_within_rounds() -> None:
    rounds = [
        round_of(a=sample(50.0), b=sample(100.0)),
        round_of(a=sample(10.0), b=sample(10.0)),
        round_of(a=sample(10.0), b=sample(0.0)),  # nothing came: no ratio
    ]

    assert throughput_ratios(rounds, "a", "b") == [0.5, 1.0]


def test_under_load_measures_a_real_server() -> None:
    with answering(lambda _: (200, {"label": "yes"})) as address:
        server = Server.at(address, [Example(b"photo", "Text.", 3)], ["yes"])
        window: Window = measure_window(UnderLoad("gateway", server, 2), 0.3, lambda: False)

    assert window.contestant == "gateway"
    assert window.sample.throughput_rps > 0
    assert len(window.sample.latencies_ms) == pytest.approx(
        window.sample.throughput_rps * window.sample.duration_s
    )
    assert not window.sample.failures
    assert 0.0 <= window.sample.cpu.foreign_ratio <= 1.0
    # How much it was is `test_accounting`'s to hold: so short a window may see no tick of 10 ms.
    assert "client" in window.sample.cpu.by_process_s
