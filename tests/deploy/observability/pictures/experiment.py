"""A bad variant of the demo: first a shadow, then ramped and rolled back; at last other captions.

Simulated users send held-out examples, and say what was true of them some seconds later.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx

from exporters.recipe import load_recipe
from exporters.training import train
from exporters.workspace import Workspace
from loadtest.demo_loop.bad_variant import publish_bad
from loadtest.demo_loop.service import ask, copy_published
from loadtest.demo_loop.timeline import Timeline
from loadtest.demo_loop.users import Users
from tests.conftest import DEMO, ROOT
from tests.deploy.observability.pictures.drawing import Told
from tests.deploy.observability.watched_stack import watched_stack
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.deploy.observability.watchers import Watch

_EXPERIMENT: Final = "new-head"
_RAMP: Final[dict[str, Any]] = {
    # In seconds what takes days.
    "steps": [25, 50, 100],
    "min_dwell_s": 5,
    "min_requests": 20,
    "min_outcomes": 20,
    "margin": 0.1,
    "guardrails": {"max_p99_ms": 20_000, "max_calibration_error": 0.35},
}
_SETTLE_S: Final = 3.0  # for rates, which need two scrapes
_AS_EVER_S, _AFTER_S, _SHIFTED_S = 22.0, 12.0, 25.0
_PATIENCE_S: Final = 60.0
_TURN, _TURN_S = 20, 0.5
"""Requests at a time, and the shortest time between two turns: a rate that leaves cores free."""
_VARIABLES: Final = {
    # What is shown does not depend on how busy the machine is.
    "DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": "10000",
    "DIPTYCH_GATEWAY_DEFAULT_VARIANT": DEMO,
    "DIPTYCH_GATEWAY_EXPERIMENTS_REFRESH_S": "0.5",
    "DIPTYCH_GATEWAY_FEEDBACK_FIGURES_REFRESH_S": "1",
    "DIPTYCH_GATEWAY_DRIFT_WINDOW_S": "5",
}


@contextmanager
def watched_experiment(repository: Path, folder: Path) -> Iterator[tuple[Watch, Told]]:
    """Runs the experiment, and yields who watched it and what happened.

    Args:
        repository: a model repository with the demo in it; it stays as it is.
        folder: an empty one, for models, logs and data.
    """
    recipe, workspace = load_recipe(DEMO), Workspace(ROOT / ".diptych")
    trained = train(recipe, workspace)
    copy_published(repository, DEMO, folder / "models")
    bad = publish_bad(recipe, workspace, folder / "models")
    keys = Keys(folder)
    headers = {"x-api-key": keys.add("pictures", "classify", "feedback", "admin")}
    variables = {
        **_VARIABLES,
        "DIPTYCH_GATEWAY_API_KEYS_FILE": str(keys.path),
        "DIPTYCH_GATEWAY_DATABASE_URL": f"sqlite:///{folder / 'experiment.sqlite3'}",
    }
    with (
        watched_stack(folder / "models", folder, variables, (DEMO, bad)) as watched,
        httpx.Client(base_url=watched.url, headers=headers, timeout=60) as http,
    ):
        words = [trained.table.examples[row].text for row in trained.split.train]
        users = Users(http, trained.holdout_examples, words, Timeline(say), seed=7)
        yield watched.watch, run(http, users, bad)


def run(http: httpx.Client, users: Users, bad: str) -> Told:
    """Shadows the bad variant, ramps it until it is rolled back, and shifts the captions."""
    began_s = time.time()

    def now_s() -> float:
        return time.time() - began_s

    arms = {DEMO: {"weight": 1}, bad: {"weight": 0}}
    rule = {"control": DEMO, "arms": arms, "ramp": _RAMP}
    ask(http, "PUT", f"/v1/admin/experiments/{_EXPERIMENT}", rule)
    shadow = {"candidate": bad, "of": DEMO, "share": 1, "deadline_ms": 5000, "max_concurrency": 4}
    ask(http, "PUT", "/v1/admin/shadows/before-the-ramp", shadow)
    time.sleep(_SETTLE_S)
    say(f"a shadow for {_AS_EVER_S:.0f} s")
    keep_sending(users, for_s(_AS_EVER_S))
    say("a ramp, until it is rolled back")
    ask(http, "POST", "/v1/admin/shadows/before-the-ramp/stop")
    ask(http, "POST", f"/v1/admin/experiments/{_EXPERIMENT}/ramp/start")
    ramp_s = now_s()
    is_late = for_s(_PATIENCE_S)

    def has_ended() -> bool:
        ramp = ask(http, "GET", f"/v1/experiments/{_EXPERIMENT}/results")["ramp"]
        return is_late() or str(ramp["status"]) != "running"

    keep_sending(users, has_ended)
    assert not is_late(), "the bad variant was not rolled back"
    rolled_back_s = now_s()
    say(f"{_AFTER_S:.0f} s more, and {_SHIFTED_S:.0f} s with other captions")
    keep_sending(users, for_s(_AFTER_S))
    users.has_shifted = True
    shifted_s = now_s()
    keep_sending(users, for_s(_SHIFTED_S))
    told = (
        f"a bad variant: a shadow from {_SETTLE_S:.0f} s, ramped from {ramp_s:.0f} s (shaded) "
        f"and rolled back at {rolled_back_s:.0f} s; other captions from {shifted_s:.0f} s"
    )
    return Told(told, began_s, now_s(), (ramp_s, rolled_back_s))


def say(line: str) -> None:
    """Shows what is going on."""
    sys.stderr.write(f"{line}\n")


def for_s(length_s: float) -> Callable[[], bool]:
    """Returns what says whether so many seconds are over."""
    until_s = time.monotonic() + length_s
    return lambda: time.monotonic() >= until_s


def keep_sending(users: Users, is_over: Callable[[], bool]) -> None:
    """Lets the users send, and say what was true, until it is over."""
    while not is_over():
        next_s = time.monotonic() + _TURN_S
        users.send(_TURN)
        time.sleep(max(0.0, next_s - time.monotonic()))
