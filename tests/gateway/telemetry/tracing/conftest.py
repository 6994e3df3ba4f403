"""A gateway that sends its spans to a collector of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.telemetry.tracing.collector import Collector, collecting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.gateway.conftest import RunningGateway, StartGateway


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield collector


@pytest.fixture
async def traced(
    collector: Collector,
    start_gateway: StartGateway,
) -> AsyncIterator[RunningGateway]:
    async with start_gateway(has_tracing=True) as gateway:
        yield gateway
