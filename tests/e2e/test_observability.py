"""The real stack under the real Prometheus: what dashboards show, and an alert on its whole way."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deploy.observability.boards import BOARDS
from tests.deploy.observability.watched_stack import Watched, watched_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.deploy.observability.watchers import Watch
    from tests.e2e.conftest import Sample

pytestmark = pytest.mark.e2e

_CLIENTS = 12
_RATE_INTERVAL = "10s"  # of scrapes a second apart
# In this order they share one stack: first calm, then overloaded.


@pytest.fixture(scope="module")
def watched(demo_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    # Two places: twelve clients are an overload that costs little CPU.
    two_places = {"DIPTYCH_GATEWAY_MAX_CONCURRENCY": "2"}
    folder = tmp_path_factory.mktemp("watched")
    with watched_stack(demo_repository, folder, two_places) as running:
        yield running


def test_every_panel_shows_series_or_says_why_not(watched: Watched, sample: Sample) -> None:
    files: dict[str, Any] = {"image": ("emoji.png", sample.image)}
    deadline = time.monotonic() + 60
    missing = panels_without_series(watched.watch)
    with httpx.Client(base_url=watched.url, timeout=30) as http:
        # Rates need two scrapes with traffic between them.
        while missing and time.monotonic() < deadline:
            assert http.post(
                "/v1/classify", files={**files, "text": (None, sample.text)}
            ).is_success
            assert http.post("/v1/classify", json={"text": sample.text}).is_success
            time.sleep(0.4)
            missing = panels_without_series(watched.watch)

    assert missing == []


def panels_without_series(watch: Watch) -> list[str]:
    """Panels of which a query came back empty, but those that may in a service that is well."""
    return [
        f"{board.name}: {panel.title}"
        for board in BOARDS
        for panel in board.panels
        if panel.empty_because is None
        for query in panel.queries
        if not watch.ask("query", query=filled_in(query.expr))
    ]


def filled_in(expression: str) -> str:
    return expression.replace("$namespace", ".*").replace("$__rate_interval", _RATE_INTERVAL)


def test_queries_that_may_be_empty_are_understood_by_prometheus(watched: Watched) -> None:
    for board in BOARDS:
        for panel in board.panels:
            if panel.empty_because is not None:
                for query in panel.queries:
                    watched.watch.ask("query", query=filled_in(query.expr))


def test_calm_service_rings_no_bell(watched: Watched) -> None:
    firing = watched.watch.ask("query", query='ALERTS{alertstate="firing"}')

    assert [alert["metric"]["alertname"] for alert in firing] == []


def test_overload_pages_through_prometheus_and_alertmanager(
    watched: Watched, sample: Sample
) -> None:
    is_over = threading.Event()

    def keep_asking() -> None:
        with httpx.Client(base_url=watched.url, timeout=30) as http:
            while not is_over.is_set():
                http.post("/v1/classify", json={"text": sample.text})

    with ThreadPoolExecutor(_CLIENTS) as pool:
        for _ in range(_CLIENTS):
            pool.submit(keep_asking)
        try:
            told = watched.watch.webhook.wait_for(
                "/alert_page_url", "DiptychSheddingMost", timeout_s=60
            )
        finally:
            is_over.set()

    assert told["status"] == "firing"
    assert told["labels"]["severity"] == "page"
    assert "answered with 429" in told["annotations"]["description"]
    assert told["annotations"]["runbook_url"].endswith("RUNBOOK.md#diptychsheddingmost")
