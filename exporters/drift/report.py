"""The drift report: captured traffic against the reference, window by window, with pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime  # noqa: TC003 - a field of a dataclass that is written out
from typing import TYPE_CHECKING, Final

from exporters.atomic import atomic_file
from exporters.drift.captured import read_captured
from exporters.drift.plots import MODALITY_NAMES, kind_text, save_answers, save_ratios
from exporters.errors import CaptureError
from gateway.contract.drift.window import DriftTests, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporters.drift.captured import CapturedItems
    from exporters.drift.published import PublishedReference
    from gateway.contract.manifest import ModalitySet

LEAST_ROWS: Final = 100
FALSE_ALARM: Final = 0.01
"""Probability that a report on unchanged traffic shows drift anywhere, shared among its windows."""

REPORT: Final = "drift.md"


@dataclass(frozen=True)
class JudgedWindow:
    """One window.

    Attributes:
        modalities: of its answers.
        since, until: its first and last answer.
        rows: how many.
        findings: one a kind of drift.
    """

    modalities: ModalitySet
    since: datetime
    until: datetime
    rows: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class DriftReport:
    """What was written.

    Attributes:
        file: the report.
        windows: all that were judged.
    """

    file: Path
    windows: tuple[JudgedWindow, ...]

    @property
    def is_drifting(self) -> bool:
        """Whether the newest window of any modality set shows drift of any kind."""
        newest = {each.modalities: each for each in self.windows}
        return any(found.is_drifting for each in newest.values() for found in each.findings)


def write_drift_report(
    published: PublishedReference,
    capture: Path,
    folder: Path,
    *,
    since: datetime | None = None,
    window_rows: int = 500,
) -> DriftReport:
    """Judges captured traffic and writes report, figures and pictures.

    Args:
        published: the variant's reference.
        capture: the gateway's folder.
        folder: where the report goes.
        since: answers before are left out.
        window_rows: rows of a window; the last one has what is left, if that is enough.

    Raises:
        CaptureError: there is no capture, or too little of this variant.
    """
    tests = DriftTests(published.reference)
    first_task = published.reference.first_task
    groups = read_captured(capture, published.manifest.digest, since, tests, first_task)
    cuts = {each: _cuts(len(group), window_rows) for each, group in groups.items()}
    count = sum(len(each) for each in cuts.values())
    if not count:
        rows = sum(len(group) for group in groups.values())
        raise CaptureError(
            capture,
            f"it has {rows} evenly drawn answers of {published.manifest.variant} "
            f"{published.manifest.digest[:12]} in that time, and {LEAST_ROWS} with the same inputs "
            "are needed",
        )
    windows = tuple(
        _judge(tests, groups[modalities], start, end, FALSE_ALARM / count)
        for modalities, places in cuts.items()
        for start, end in places
    )
    folder.mkdir(parents=True, exist_ok=True)
    save_ratios(windows, folder / "drift-ratios.png")
    save_answers(published.reference, tests, groups, folder / "drift-answers.png")
    with atomic_file(folder / "drift.json") as path:
        path.write_text(json.dumps(_json(published, windows), indent=2) + "\n", encoding="utf-8")
    with atomic_file(folder / REPORT) as path:
        path.write_text(_markdown(published, windows), encoding="utf-8")
    return DriftReport(folder / REPORT, windows)


def _cuts(rows: int, window_rows: int) -> list[tuple[int, int]]:
    places = [(start, min(start + window_rows, rows)) for start in range(0, rows, window_rows)]
    return [(start, end) for start, end in places if end - start >= LEAST_ROWS]


def _judge(
    tests: DriftTests, group: CapturedItems, start: int, end: int, false_alarm: float
) -> JudgedWindow:
    findings = tests.judge(group.items[start:end], group.modalities, false_alarm)
    times = group.times[start:end]
    return JudgedWindow(group.modalities, times[0], times[-1], end - start, findings)


def _json(published: PublishedReference, windows: Sequence[JudgedWindow]) -> dict[str, object]:
    return {
        "variant": published.manifest.variant,
        "digest": published.manifest.digest,
        "false_alarm": FALSE_ALARM,
        "windows": [
            {
                "modalities": each.modalities,
                "since": each.since.isoformat(),
                "until": each.until.isoformat(),
                "rows": each.rows,
                "findings": [
                    {**asdict(found), "ratio": found.ratio, "is_drifting": found.is_drifting}
                    for found in each.findings
                ],
            }
            for each in windows
        ],
    }


def _markdown(published: PublishedReference, windows: Sequence[JudgedWindow]) -> str:
    manifest = published.manifest
    lines = [
        f"# Drift of {manifest.variant} {manifest.digest[:12]}",
        "",
        f"{sum(each.rows for each in windows)} answers in {len(windows)} windows, against the "
        "examples that it was measured on. A ratio above 1 is drift: chance goes beyond it in one "
        f"report of {1 / FALSE_ALARM:.0f}.",
        "",
        "![Ratios by window](drift-ratios.png)",
        "",
        "![What was answered](drift-answers.png)",
        "",
        "| inputs | answers until | rows | kind | statistic | threshold | ratio | what |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for window in windows:
        for found in sorted(window.findings, key=lambda each: -each.ratio):
            said = "**drift**" if found.is_drifting else "as before"
            what = f"{said}, {found.worst}" if found.worst and found.is_drifting else said
            figures = f"{found.statistic:.3f} | {found.threshold:.3f} | {found.ratio:.2f}"
            lines.append(
                f"| {MODALITY_NAMES[window.modalities]} | {window.until:%Y-%m-%d %H:%M} "
                f"| {window.rows} | {kind_text(found)} | {figures} | {what} |"
            )
    return "\n".join(lines) + "\n"
