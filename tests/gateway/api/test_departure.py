"""Work that is cancelled when its client goes away."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from gateway.api.departure import DEPARTURE_KEY, CancelOnDisconnect, Departure
from gateway.errors import ClientDisconnectedError

pytestmark = pytest.mark.anyio


def request_of(departure: Departure) -> Request:
    return Request({"type": "http", DEPARTURE_KEY: departure})


async def test_client_that_goes_cancels_the_work_and_is_told_apart_from_other_ends() -> None:
    departure, began = Departure(), asyncio.Event()

    async def work() -> None:
        with CancelOnDisconnect(request_of(departure)):
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await began.wait()
    departure.happen()
    with pytest.raises(ClientDisconnectedError):
        await task
    assert task.cancelling() == 0


async def test_client_that_went_before_begins_nothing() -> None:
    departure = Departure()
    departure.happen()
    has_begun = False
    with pytest.raises(ClientDisconnectedError), CancelOnDisconnect(request_of(departure)):
        has_begun = True
    assert not has_begun


async def test_client_that_goes_after_the_work_cancels_nothing() -> None:
    departure = Departure()
    with CancelOnDisconnect(request_of(departure)):
        pass
    departure.happen()
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
