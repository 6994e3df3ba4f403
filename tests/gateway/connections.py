"""The gateway's own connection to a server of the tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gateway.triton.grpc_backend import TritonBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.fake_triton import FakeTriton


@asynccontextmanager
async def connect(triton: FakeTriton) -> AsyncIterator[TritonBackend]:
    backend = TritonBackend(triton.url, max_request_bytes=1_000_000)
    try:
        yield backend
    finally:
        await backend.close()
