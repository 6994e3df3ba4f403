"""A gateway in front of a fake Triton, both speaking their real protocols over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import hypothesis
import pytest

from gateway.api.proto.diptych.v1 import classify_pb2_grpc
from gateway.server import Ports, serve_until
from gateway.settings import Settings
from tests.gateway.fake_triton import FakeTriton
from tests.gateway.storage.databases import Postgresql, running_postgresql, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

# How long an example takes says more of what else this machine does.
hypothesis.settings.register_profile("gateway", deadline=None)
hypothesis.settings.load_profile("gateway")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_event_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keeps one event loop for all tests.

    What is left of a grpc.aio channel tells its loop so when it is collected, whatever test runs
    by then; a loop that was closed raises there.
    """
    yield  # noqa: PT022 - the loop is kept as long as the fixture is


@asynccontextmanager
async def run_triton() -> AsyncIterator[FakeTriton]:
    fake = FakeTriton()
    await fake.start()
    yield fake
    fake.release.set()
    await fake.stop()


@dataclass
class RunningGateway:
    """A gateway that serves, and clients of its two APIs."""

    http: httpx.AsyncClient
    grpc: classify_pb2_grpc.ClassifierStub
    channel: Any
    ports: Ports
    stop: asyncio.Event
    serving: asyncio.Task[None]


@asynccontextmanager
async def run_gateway(triton: FakeTriton, **changes: object) -> AsyncIterator[RunningGateway]:
    """Runs both servers in this process until the end of the block.

    Args:
        triton: the backend.
        **changes: settings that differ from those for tests.
    """
    settings = Settings.model_validate(
        {
            "http_port": 0,
            "grpc_port": 0,
            "triton_grpc_url": triton.url,
            "drain_delay_s": 0,
            "drain_timeout_s": 10,
            "catalog_refresh_s": 0.05,
            # What is tested elsewhere must not depend on how busy this machine is.
            "request_budget_ms": 10_000,
            # Many tests send the same text twice and mean two requests.
            "has_coalescing": False,
            "access_log_success_ratio": 1,
            **changes,
        }
    )
    started: asyncio.Future[Ports] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_until(stop, settings, started.set_result))
    await asyncio.wait((serving, started), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    ports = started.result()
    async with (
        # Plain HTTP: loading the certificates would take longer than the tests.
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{ports.http}",
            transport=httpx.AsyncHTTPTransport(verify=False),
            timeout=30,
        ) as http,
        grpc.aio.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel,
    ):
        stub = classify_pb2_grpc.ClassifierStub(channel)
        try:
            yield RunningGateway(http, stub, channel, ports, stop, serving)
        finally:
            triton.release.set()
            stop.set()
            await serving


StartGateway = Callable[..., AbstractAsyncContextManager[RunningGateway]]


@pytest.fixture
async def triton() -> AsyncIterator[FakeTriton]:
    async with run_triton() as fake:
        yield fake


@pytest.fixture
def start_gateway(triton: FakeTriton) -> StartGateway:
    """Starts a gateway in front of `triton` with changed settings."""
    return partial(run_gateway, triton)


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> AsyncIterator[RunningGateway]:
    """A gateway of one test."""
    async with start_gateway() as running:
        yield running


@pytest.fixture(scope="module")
async def shared_gateway() -> AsyncIterator[RunningGateway]:
    """A gateway for all tests of a module that leave no trace in it."""
    async with run_triton() as fake, run_gateway(fake) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A server of its own, started when it is first asked for."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of either kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.new_database()


async def eventually(holds: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Waits until `holds` does."""
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is in a server or another process
            await asyncio.sleep(0.01)
