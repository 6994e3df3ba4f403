"""A tab of a real Chromium in which a test works as a person does, and which forgives nothing."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from playwright.async_api import async_playwright

from tests.browser.chromium import find

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, ConsoleMessage, Page

# Headless, without a display server, a GPU, or the rights that the sandbox of Chromium needs.
_FLAGS = ("--no-sandbox", "--disable-gpu", "--font-render-hinting=none")
# What a browser writes about every request that fails, expected or not.
_EXPECTED = "Failed to load resource:"


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """Starts a browser and ends it.

    Raises:
        NoChromiumError: this machine has none.
    """
    chromium = find()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.executable,
            args=list(_FLAGS),
            env={**os.environ, **chromium.variables},
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:  # noqa: ANN401 - playwright's
    """Opens a page in a profile of its own.

    At the end it fails the test if the page loaded anything from elsewhere, broke its own policy,
    or had an error that nobody caught.

    Args:
        browser: of `running_chromium`.
        url: of the page.
        **options: of playwright's `new_context`.
    """
    faults: list[str] = []
    origin = "/".join(url.split("/")[:3])
    async with await browser.new_context(**options) as context:
        page = await context.new_page()
        page.set_default_timeout(20_000)  # two slow cores, shared
        page.on("pageerror", lambda error: faults.append(f"uncaught: {error}"))
        page.on("console", lambda said: faults.extend(_fault_of(said)))
        page.on("request", lambda request: faults.extend(_strange(request.url, origin)))
        await page.goto(url)
        yield page
        assert not faults, faults


def _fault_of(said: ConsoleMessage) -> list[str]:
    is_fault = said.type in {"error", "warning"} and not said.text.startswith(_EXPECTED)
    return [f"console: {said.text}"] if is_fault else []


def _strange(url: str, origin: str) -> list[str]:
    return [] if url.startswith((origin, "blob:")) else [f"elsewhere: {url}"]
