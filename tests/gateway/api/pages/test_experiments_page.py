"""The page of live traffic, in a real browser and in front of a fake Triton."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Page, Request

    from tests.gateway.api.pages.conftest import OpenPage
    from tests.gateway.conftest import RunningGateway, StartGateway
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

EXPERIMENTS = """
layers = ["default", "markets"]

[[experiments]]
name = "heads"
unit = "unit"
control = "demo"
eligibility = [{ attribute = "country", in = ["de", "at"] }]
[experiments.arms]
demo = { weight = 3 }
other = { weight = 1 }

[[experiments]]
name = "later"
layer = "markets"
control = "demo"
start_at = 2100-01-01T00:00:00Z
[experiments.arms]
demo = { weight = 1 }
unknown = { weight = 1 }

[[shadows]]
name = "mirror"
candidate = "other"
share = 1.0
"""


@pytest.fixture
def file(tmp_path: Path, triton: FakeTriton) -> Path:
    """The experiments of a gateway that serves `demo` and `other`."""
    triton.repository |= make_repository(
        variant="other", created_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    path = tmp_path / "experiments.toml"
    path.write_text(EXPERIMENTS)
    return path


def url_of(gateway: RunningGateway) -> str:
    return f"http://127.0.0.1:{gateway.ports.http}/experiments"


async def send(gateway: RunningGateway, times: int) -> None:
    for number in range(times):
        headers = {"Diptych-Unit": str(number), "Diptych-Meta-Country": "de"}
        answer = await gateway.http.post("/v1/classify", json={"text": "a"}, headers=headers)
        assert answer.status_code == 200


async def answers_shown(page: Page) -> int:
    arms = page.get_by_role("region", name="Arms of")
    cells = await arms.locator("tbody tr td:nth-of-type(2)").all_inner_texts()
    return sum(int(cell.split()[0]) for cell in cells)


async def test_experiments_page_follows_live_traffic(
    start_gateway: StartGateway, open_in_browser: OpenPage, file: Path
) -> None:
    async with (
        start_gateway(experiments_file=file, experiments_refresh_s=0.05) as gateway,
        open_in_browser(url_of(gateway)) as page,
    ):
        await expect(page.locator("#default")).to_contain_text("demo because it is the newest")
        heads = page.get_by_role("region", name="Arms of heads")
        await expect(heads.locator("tbody tr").nth(0)).to_contain_text("75.0 %")
        later = page.locator(".card", has_text="later")
        await expect(later).to_contain_text("scheduled")
        await expect(later).to_contain_text("gets nothing: not served")
        assert await answers_shown(page) == 0

        await heads.focus()
        await send(gateway, 20)

        await expect(heads.locator(".fill.both:visible")).to_have_count(2)
        assert await answers_shown(page) == 20
        await expect(heads.locator("svg")).to_have_count(2)  # after a third look: two rates
        shadow = page.locator(".card", has_text="mirror")
        await expect(shadow).to_contain_text("Agreement\n100 %", use_inner_text=True)
        # What is read or focused outlives the looks.
        assert await heads.evaluate("region => region === document.activeElement")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

        await asyncio.to_thread(file.write_text, "[[experiments]]\nname = 1\n")
        await expect(page.locator("#sources")).to_contain_text("What was in force before goes on.")


async def test_experiments_page_stands_still_when_it_is_paused(
    start_gateway: StartGateway, open_in_browser: OpenPage, file: Path
) -> None:
    looks = 0

    def count(request: Request) -> None:
        nonlocal looks
        looks += request.url.endswith("/v1/experiments")

    async with (
        start_gateway(experiments_file=file) as gateway,
        open_in_browser(url_of(gateway)) as page,
    ):
        await expect(page.get_by_role("status")).to_have_text("Live, every two seconds.")
        page.on("request", count)
        await page.get_by_role("button", name="Pause").click()
        await expect(page.get_by_role("status")).to_have_text("Paused.")
        await page.wait_for_timeout(2500)  # longer than from one look to the next
        assert looks == 0
        await page.get_by_role("button", name="Pause").click()
        await expect(page.get_by_role("status")).to_have_text("Live, every two seconds.")
        assert looks == 1


async def test_experiments_page_without_any_says_how_one_begins(
    start_gateway: StartGateway, open_in_browser: OpenPage
) -> None:
    async with (
        start_gateway() as gateway,
        open_in_browser(url_of(gateway), color_scheme="dark") as page,
    ):
        await expect(page.locator(".card")).to_contain_text("DIPTYCH_GATEWAY_EXPERIMENTS_FILE")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

        await page.route("**/v1/experiments", lambda route: route.abort("connectionrefused"))
        await expect(page.get_by_role("alert")).to_contain_text("could not be reached")
        await expect(page.get_by_role("status")).to_contain_text("Not live")
        await page.unroute("**/v1/experiments")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_role("status")).to_have_text("Live, every two seconds.")
        await expect(page.locator("#problem")).to_be_hidden()
