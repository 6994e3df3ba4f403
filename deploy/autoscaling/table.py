"""All scenarios with all autoscalers, and the table of the chart's README that shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.autoscaling.hpa import SYNC_S
from deploy.autoscaling.promql import evaluate
from deploy.autoscaling.recordings import FOLDER, Recording, read_recording
from deploy.autoscaling.rendered_scalers import read_scalers
from deploy.autoscaling.replay import Course, metrics_of, replay
from deploy.helm.objects import Chart
from deploy.helm.rendering import Helm, documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.autoscaling.rendered_scalers import Scaler

SCENARIOS: Final = ("idle", "ramp", "spike", "partial-outage")
"""In the order of the table."""

BEGIN: Final = {
    "demo-diptych-gateway": 1,
    "demo-diptych-triton-gpu": 2,
    "demo-diptych-triton-cpu": 1,
}
"""Replicas at the begin of each replay: those that were recorded."""

_VALUES: Final = Path(__file__).with_name("values")
_WAYS: Final = ("hpa", "keda")
_IDLE_AFTER_S: Final = 1500
_MINUTES: Final = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25)
_BLOCK: Final = re.compile(r"(<!-- replay -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One autoscaler along one scenario.

    Attributes:
        scenario: its name.
        scaled: what is scaled.
        way: `hpa` or `keda`.
        course: how its replicas went.
    """

    scenario: str
    scaled: str
    way: str
    course: Course


def timeline(scenario: str, folder: Path = FOLDER) -> Recording:
    """Returns a scenario's recording with so much idle time after it that all has scaled down."""
    recording, idle = read_recording(scenario, folder), read_recording("idle", folder)
    end_s = recording.duration_s + _IDLE_AFTER_S
    while recording.duration_s < end_s:
        recording = recording.followed_by(idle)
    return recording


def rendered_scalers(way: str) -> dict[str, Scaler]:
    """Returns the autoscalers of one of the value files here, as Helm renders them."""
    rendered = Helm("helm-4").template([_VALUES / f"{way}.yaml"])
    return read_scalers(Chart(documents(rendered)))


def replay_all(scenarios: Sequence[str] = SCENARIOS) -> list[Row]:
    """Replays scenarios with all autoscalers.

    Raises:
        EvaluationError: Prometheus does not start, or refuses a query.
    """
    rows = []
    for scenario in scenarios:
        ways = {way: rendered_scalers(way) for way in _WAYS}
        queries = [
            metric.query
            for scalers in ways.values()
            for scaler in scalers.values()
            for metric in metrics_of(scaler)
        ]
        values = evaluate(timeline(scenario), queries, SYNC_S)
        rows += [
            Row(
                scenario, name.removeprefix("demo-diptych-"), way, replay(each, values, BEGIN[name])
            )
            for way, scalers in ways.items()
            for name, each in scalers.items()
        ]
    return rows


def readme_text(readme: str, rows: Sequence[Row]) -> str:
    """Returns a README with the table of replays as `rows` have it."""
    header = ["scenario", "scaled", "by", *(f"{minute} min" for minute in _MINUTES)]
    lines = [header, ["---"] * 3 + ["--:"] * len(_MINUTES)]
    for row in rows:
        counts = [str(row.course.at(60 * minute)) for minute in _MINUTES]
        lines.append([row.scenario.replace("-", " "), f"`{row.scaled}`", row.way.upper(), *counts])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return _BLOCK.sub(lambda match: f"{match.group(1)}{table}\n{match.group(2)}", readme)
