"""`python -m tests.gateway.api.pages.picture`: the page on the demo, for the README.

Needs what `make export` publishes. The bundled Triton serves the demo, the page offers its samples,
and what the page then shows goes into `gateway/page.png`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import expect

from tests.browser.driver import open_page, running_chromium
from tests.conftest import DEMO, ROOT
from tests.e2e.stack import running_stack

TARGET: Final = ROOT / "gateway" / "page.png"
_VIEWPORT: Final = {"width": 1060, "height": 900}


def main() -> None:
    """Starts the stack, classifies a sample on the page, and writes the picture."""
    os.environ["DIPTYCH_GATEWAY_SAMPLES_FOLDER"] = str(ROOT / ".diptych" / "samples")
    with (
        tempfile.TemporaryDirectory(prefix="diptych-picture-") as scratch,
        running_stack(ROOT / "model_repository", DEMO, Path(scratch)) as stack,
    ):
        asyncio.run(take(stack.url))
    sys.stderr.write(f"{TARGET}\n")


async def take(url: str) -> None:
    """Works as a person does: chooses the first sample and asks; the first answers warm it up."""
    async with (
        running_chromium() as browser,
        open_page(browser, url, viewport=_VIEWPORT) as page,
    ):
        await page.locator("#samples button").first.click()
        for _ in range(3):
            await page.get_by_role("button", name="Classify").click()
            await expect(page.locator("#image-alone strong")).not_to_be_empty()
            await page.wait_for_timeout(1000)
        await page.screenshot(path=TARGET, full_page=True)


if __name__ == "__main__":
    main()
