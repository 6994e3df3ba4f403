"""Recorded samples: read, put one after the other, and written for Prometheus to read back."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("recorded")
"""Made by `python -m loadtest.autoscaling`."""

_SAMPLE: Final = re.compile(r"(?P<series>\S+\{.*\}) (?P<value>\S+) (?P<at>-?\d+)")
_GAUGES: Final = ("nv_inference_pending_request_count", "_in_flight", "_in_flight_requests")


@dataclass
class Recording:
    """Samples of several series over one time.

    Attributes:
        duration_s: how long it is; samples before 0 are there for the rates of the begin.
        samples: `(time in seconds, value)` by series, the labels in its name.
    """

    duration_s: int
    samples: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def followed_by(self, other: Recording) -> Recording:
        """Returns this recording and another one after it; counters count on."""
        joined = Recording(self.duration_s + other.duration_s, {})
        for series in self.samples.keys() | other.samples.keys():
            first = [each for each in self.samples.get(series, ()) if each[0] < self.duration_s]
            then = [each for each in other.samples.get(series, ()) if each[0] >= 0]
            offset = 0.0
            if first and then and not _is_gauge(series):
                offset = first[-1][1] - then[0][1]
            moved = [(at_s + self.duration_s, value + offset) for at_s, value in then]
            joined.samples[series] = first + moved
        return joined

    def open_metrics(self, begin_s: int) -> str:
        """Returns all samples in OpenMetrics.

        Args:
            begin_s: time of 0, in seconds since the epoch.
        """
        families: dict[str, list[str]] = {}
        for series, samples in sorted(self.samples.items()):
            lines = families.setdefault(series.partition("{")[0], [])
            lines += [f"{series} {value!r} {begin_s + at_s}" for at_s, value in samples]
        text = []
        for name, lines in families.items():
            family, kind = name, "unknown"
            if name.endswith("_total"):
                family, kind = name.removesuffix("_total"), "counter"
            text += [f"# TYPE {family} {kind}", *lines]
        return "\n".join([*text, "# EOF", ""])


def read_recording(name: str, folder: Path = FOLDER) -> Recording:
    """Reads one of the recordings.

    Args:
        name: of its scenario.
        folder: where they are.
    """
    text = gzip.decompress((folder / f"{name}.om.gz").read_bytes()).decode()
    recording = Recording(0)
    for line in text.splitlines():
        if match := _SAMPLE.fullmatch(line):
            at_s = int(match["at"])
            recording.samples.setdefault(match["series"], []).append((at_s, float(match["value"])))
            recording.duration_s = max(recording.duration_s, at_s)
    return recording


def _is_gauge(series: str) -> bool:
    return series.partition("{")[0].endswith(_GAUGES)
