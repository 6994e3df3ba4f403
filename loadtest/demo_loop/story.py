"""The story: as ever, shifted, drift, retrained, ramped, and a bad one rolled back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from exporters.drift.published import read_published_reference
from exporters.drift.report import write_drift_report
from exporters.recipe import load_recipe
from exporters.training import train
from exporters.workspace import Workspace
from gateway.contract.drift.window import DriftKind
from loadtest.demo_loop.bad_variant import publish_bad
from loadtest.demo_loop.service import ask, copy_published, serving
from loadtest.demo_loop.timeline import (
    DRIFT,
    QUIET,
    RAMPED,
    RETRAINED,
    ROLLED_BACK,
    SERVED,
    SHIFTED,
    Timeline,
)
from loadtest.demo_loop.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prometheus_client.samples import Sample

    from loadtest.demo_loop.service import Service

_RECIPE: Final = "openmoji"
_BROKEN: Final = "openmoji-broken"
_AS_EVER, _SHIFTED = 240, 1440
_TURN: Final = 60
_MOST_TURNS: Final = 30
_KINDS_OF_INPUTS: Final = {
    DriftKind.IMAGE_EMBEDDING,
    DriftKind.TEXT_EMBEDDING,
    DriftKind.AGREEMENT,
    DriftKind.IMAGE_PROPERTIES,
    DriftKind.TEXT_PROPERTIES,
}
_PATIENCE_S: Final = 60.0

_RAMP: Final[dict[str, Any]] = {
    # In minutes what takes days: short steps, a wider margin, and time that a busy machine needs.
    "steps": [25, 50, 100],
    "min_dwell_s": 2,
    "min_requests": 20,
    "min_outcomes": 20,
    "margin": 0.1,
    "guardrails": {"max_p99_ms": 20_000, "max_calibration_error": 0.35},
}


class StoryError(Exception):
    """The loop cannot go on; the sentence says where it stopped and what to read."""


def tell(
    folder: Path,
    repository: Path,
    seed: int,
    say: Callable[[str], None],
    until: str = ROLLED_BACK,
) -> Timeline:
    """Tells the story; `verdict.faults` says whether it came true.

    Args:
        folder: for timeline, plots, logs and the loop's own models; what it held goes.
        repository: where the demo was exported to.
        seed: of users.
        say: is told each line as it comes.
        until: ends after this event of the story: `DRIFT`, or the last.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    recipe, workspace = load_recipe(_RECIPE), Workspace()
    copy_published(repository, _RECIPE, folder / "models")
    variant = train(recipe, workspace)
    if until == ROLLED_BACK:
        say("Making a deliberately bad variant: its training ends before it has begun.")
        publish_bad(recipe, workspace, folder / "models")
    timeline = Timeline(say)
    try:
        with serving(folder, _RECIPE) as service, service.client() as http:
            words = [variant.table.examples[row].text for row in variant.split.train]
            users = Users(http, variant.holdout_examples, words, timeline, seed)
            _until_shift_is_seen(http, users, timeline)
            if until == ROLLED_BACK:
                _retrain_and_ramp(service, http, users, timeline)
    except httpx.HTTPError as error:
        raise StoryError(f"{error}; read {folder / 'gateway.log'}.") from error
    finally:
        timeline.save(folder)
    write_drift_report(  # of the original, before and after the shift
        read_published_reference(folder / "models", _RECIPE),
        folder / "capture",
        folder / "drift",
        window_rows=200,
    )
    say(f"Plots: {folder / 'timeline.png'}, {folder / 'drift' / 'drift-ratios.png'}")
    return timeline


def _until_shift_is_seen(http: httpx.Client, users: Users, timeline: Timeline) -> None:
    users.send(_AS_EVER)
    timeline.note(SERVED, f"{_AS_EVER} requests, {_accuracy(timeline, _AS_EVER)} right")
    users.has_shifted = True
    timeline.note(SHIFTED, "a new client sends captions that are about other things")
    _until_drift(http, users, timeline)


def _retrain_and_ramp(
    service: Service, http: httpx.Client, users: Users, timeline: Timeline
) -> None:
    since = datetime.now(UTC)  # what came before the drift is no sample of what comes
    while (left := _AS_EVER + _SHIFTED - len(timeline.answers)) > 0:
        users.send(min(_TURN, left))
    users.label()
    timeline.note("labelled", f"all late labels came; {_accuracy(timeline, _SHIFTED // 2)} right")
    candidate = _retrain(service, timeline, since)
    service.load(candidate)
    control = _RECIPE
    if _ramp(http, users, timeline, control, candidate) == "completed":
        ask(http, "POST", f"/v1/admin/variants/{candidate}/promote")
        timeline.note(RAMPED, f"{candidate} answers all; {_accuracy(timeline, _TURN)} right")
        _until_quiet(http, users, timeline, candidate)
        control = candidate
    service.load(_BROKEN)
    if _ramp(http, users, timeline, control, _BROKEN) == "rolled_back":
        users.send(_TURN)
        answered = {each.variant for each in timeline.answers[-_TURN:]}
        timeline.note(ROLLED_BACK, f"{_BROKEN}; {', '.join(sorted(answered))} answers all again")


def _accuracy(timeline: Timeline, count: int) -> str:
    last = timeline.answers[-count:]
    return f"{sum(each.is_right for each in last) / len(last):.0%}"


def _until_drift(http: httpx.Client, users: Users, timeline: Timeline) -> None:
    for _ in range(_MOST_TURNS):
        users.send(_TURN)
        kinds = _drifting(http, _RECIPE)
        if kinds:
            timeline.note(DRIFT, ", ".join(sorted(kinds)))
            return


def _until_quiet(
    http: httpx.Client, users: Users, timeline: Timeline, candidate: str, windows: int = 2
) -> None:
    """Sends until inputs are, in the candidate's newest windows, as its own reference says.

    Its confidence is left out: users go on to send what it was fitted on, of which it is surer.
    """
    judged = _windows(http, candidate)
    for _ in range(_MOST_TURNS):
        users.send(_TURN)
        if _windows(http, candidate) >= judged + windows:
            if not _drifting(http, candidate) & _KINDS_OF_INPUTS:
                timeline.note(QUIET, f"{candidate} sees what it was retrained on")
                return
            judged = _windows(http, candidate)


def _drifting(http: httpx.Client, variant: str) -> set[str]:
    found = _samples(http, "diptych_drift_is_drifting", variant)
    return {each.labels["kind"] for each in found if each.value == 1.0}


def _windows(http: httpx.Client, variant: str) -> float:
    return sum(each.value for each in _samples(http, "diptych_drift_windows_total", variant))


def _samples(http: httpx.Client, name: str, variant: str) -> list[Sample]:
    families = text_string_to_metric_families(http.get("/metrics").text)
    return [
        each
        for family in families
        for each in family.samples
        if each.name == name and each.labels["variant"] == variant
    ]


def _retrain(service: Service, timeline: Timeline, since: datetime) -> str:
    """Runs the command as a schedule does, and returns the candidate's name."""
    time.sleep(3)  # what was captured last is written within a second
    command = (
        sys.executable, "-m", "exporters", "retrain", _RECIPE, "--since", since.isoformat(),
        "--capture", str(service.capture), "--model-repository", str(service.repository),
        "--database", service.database_url, "--gateway", service.url, "--shadow-share", "0.2",
        "--original-margin", "0.1",
    )  # fmt: skip
    done = subprocess.run(
        command,
        env={**os.environ, "DIPTYCH_API_KEY": service.key},
        capture_output=True,
        text=True,
        check=False,
    )
    (service.folder / "retrain.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode != 0:
        raise StoryError(f"The retraining failed; read {service.folder / 'retrain.log'}.")
    said = dict(line.split(":", 1) for line in done.stdout.splitlines() if ": " in line)
    candidate = said["Published for both"].strip().rsplit("-", 2)[0]
    timeline.note(RETRAINED, f"{candidate}: {said['Recent feedback'].strip()}")
    return candidate


def _ramp(
    http: httpx.Client, users: Users, timeline: Timeline, control: str, candidate: str
) -> str:
    """Ramps a variant that Triton has loaded, under live traffic; returns how it ended."""
    _wait_for(http, candidate)
    # The experiment that retraining registered, with steps of seconds; the bad one has its own.
    name = _BROKEN if candidate == _BROKEN else f"retrained-{_RECIPE}"
    arms = {control: {"weight": 1}, candidate: {"weight": 0}}
    body = {"control": control, "arms": arms, "ramp": _RAMP}
    ask(http, "PUT", f"/v1/admin/experiments/{name}", body)
    ask(http, "POST", f"/v1/admin/experiments/{name}/ramp/start")
    share, status = -1.0, "running"
    for _ in range(_MOST_TURNS):
        users.send(_TURN)
        ramp = ask(http, "GET", f"/v1/experiments/{name}/results")["ramp"]
        status = str(ramp["status"])
        if ramp["share"] != share:
            share = float(ramp["share"])
            timeline.note("ramp", f"{candidate} at {share:.0%}, {status}")
        if status != "running":
            break
    return status


def _wait_for(http: httpx.Client, variant: str) -> None:
    until = time.monotonic() + _PATIENCE_S
    while variant not in {each["variant"] for each in ask(http, "GET", "/v1/models")["models"]}:
        if time.monotonic() > until:
            raise StoryError(f"The gateway does not see {variant}.")
        time.sleep(0.2)
