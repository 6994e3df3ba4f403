"""Recordings are joined so that counters count on."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from deploy.autoscaling.recordings import Recording, read_recording

if TYPE_CHECKING:
    from pathlib import Path

COUNTER = 'answers_total{pool="gpu"}'
GAUGE = 'diptych_gateway_endpoint_in_flight{pool="gpu"}'


def test_counter_counts_on_and_gauge_is_as_recorded() -> None:
    first = Recording(30, {COUNTER: [(0, 5.0), (15, 9.0)], GAUGE: [(0, 3.0), (15, 7.0)]})
    then = Recording(30, {COUNTER: [(-15, 0.0), (0, 1.0), (15, 4.0)], GAUGE: [(0, 1.0)]})

    joined = first.followed_by(then)

    assert joined.duration_s == 60
    assert joined.samples[COUNTER] == [(0, 5.0), (15, 9.0), (30, 9.0), (45, 12.0)]
    assert joined.samples[GAUGE] == [(0, 3.0), (15, 7.0), (30, 1.0)]


def test_series_of_one_recording_alone_keeps_its_place() -> None:
    joined = Recording(30).followed_by(Recording(30, {COUNTER: [(15, 2.0)]}))

    assert joined.samples == {COUNTER: [(45, 2.0)]}


def test_written_recording_is_read_back(tmp_path: Path) -> None:
    recording = Recording(15, {COUNTER: [(-15, 1.0), (15, 2.5)]})
    path = tmp_path / "one.om.gz"
    path.write_bytes(gzip.compress(recording.open_metrics(0).encode()))

    assert read_recording("one", tmp_path) == recording
