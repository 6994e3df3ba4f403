"""The pages of a gateway in a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import open_page, running_chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

OpenPage = Callable[..., AbstractAsyncContextManager["Page"]]


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with running_chromium() as browser:
        yield browser


@pytest.fixture
def open_in_browser(chromium: Browser) -> OpenPage:
    """Opens a page by its address, with options of playwright's `new_context`."""
    return partial(open_page, chromium)
