"""`python -m tests.loadtest.traffic.picture REPORT.html`: a load test's page, for the README.

Takes what a run left, such as `.bench/load.html`, and writes `loadtest/report.png`; with a second
argument another file, and with `dark` as a third the page as it is in the dark.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

from tests.browser.driver import open_page, running_chromium
from tests.conftest import ROOT

TARGET: Final = ROOT / "loadtest" / "report.png"
_VIEWPORT: Final = {"width": 1000, "height": 900}


async def take(url: str, picture: Path, scheme: str = "light") -> None:
    """Opens the page in a real browser and writes all of it as a picture."""
    async with (
        running_chromium() as browser,
        open_page(browser, url, viewport=_VIEWPORT, color_scheme=scheme) as page,
    ):
        await page.screenshot(path=picture, full_page=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    target = Path(given[1]) if len(given) > 1 else TARGET
    asyncio.run(take(Path(given[0]).resolve().as_uri(), target, *given[2:3]))
    sys.stderr.write(f"{target}\n")
