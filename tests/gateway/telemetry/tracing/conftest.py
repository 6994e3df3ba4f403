"""A gateway that sends its spans to a collector of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.telemetry.tracing.collector import Collector, running_collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import RunningGateway, StartGateway


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    async with running_collector() as (collector, endpoint):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield collector


@pytest.fixture
async def traced(
    collector: Collector,
    start_gateway: StartGateway,
) -> AsyncIterator[RunningGateway]:
    async with start_gateway(has_tracing=True) as gateway:
        yield gateway
