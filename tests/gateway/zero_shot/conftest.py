from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keeps one event loop for a module: gRPC's threads may call one that was closed a moment ago.

    A call that was cancelled at the end of a test is the usual reason.
    """
    yield
    await asyncio.sleep(0)
