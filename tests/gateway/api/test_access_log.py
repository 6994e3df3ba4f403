from __future__ import annotations

import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from gateway.api.access_log import AccessLog
from gateway.api.observation import Observation
from gateway.errors import (
    AdmissionRefusedError,
    BackendError,
    ClientDisconnectedError,
    OverloadedError,
)
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing.span import NullTracer


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def observe(number: int = 0, route: str = "/v1/classify") -> Observation:
    return Observation(f"request-{number}", "POST", route)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record)["event_fields"] for record in caplog.records if record.msg == "request"]


def test_access_log_writes_its_share_of_successes_and_counts_all(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log = AccessLog(metrics, success_ratio=0.1, tracer=NullTracer())
    for number in range(5_000):
        log.finish(observe(number), "200")
    # 500 of 5,000, give or take five standard deviations of a binomial.
    assert 394 <= len(lines(caplog)) <= 606
    assert {line["sample_ratio"] for line in lines(caplog)} == {0.1}
    assert 'code="200"' in generate_latest(metrics.registry).decode()
    assert "5000.0" in generate_latest(metrics.registry).decode()


def test_access_log_same_request_is_written_by_all_or_none(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for log in [AccessLog(metrics, success_ratio=0.3, tracer=NullTracer()) for _ in range(2)]:
        for number in range(100):
            log.finish(observe(number), "OK")
    ids = [line["request_id"] for line in lines(caplog)]
    assert ids[: len(ids) // 2] == ids[len(ids) // 2 :]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OverloadedError(), "503"),
        (BackendError("stub died"), "500"),
        (ClientDisconnectedError(), "499"),
        (None, "CANCELLED"),
        (None, "404"),
    ],
)
def test_access_log_writes_every_failure(
    metrics: Metrics, caplog: pytest.LogCaptureFixture, error: Exception | None, code: str
) -> None:
    caplog.set_level(logging.INFO)
    log = AccessLog(metrics, success_ratio=0.0, tracer=NullTracer())
    for number in range(20):
        observation = observe(number)
        if error is not None:
            observation.note_error(error, metrics)
        log.finish(observation, code)
    assert len(lines(caplog)) == 20
    assert all("sample_ratio" not in line for line in lines(caplog))


def test_access_log_refusals_and_probes_are_written_at_debug_alone(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    log = AccessLog(metrics, success_ratio=1.0, tracer=NullTracer())
    for level, count in ((logging.INFO, 0), (logging.DEBUG, 2)):
        caplog.set_level(level)
        refused = observe()
        refused.note_error(AdmissionRefusedError("concurrency_limit", retry_after_ms=50), metrics)
        log.finish(refused, "429")
        log.finish(observe(route="/readyz"), "200")
        assert len(lines(caplog)) == count
