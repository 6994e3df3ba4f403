"""The pages on the real Triton, in a real browser: from a sample to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.driver import open_page, running_chromium
from tests.conftest import DEMO

if TYPE_CHECKING:
    from playwright.async_api import FilePayload

    from tests.e2e.conftest import Sample
    from tests.e2e.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def answers(stack: Stack, sample: Sample) -> dict[str, dict[str, Any]]:
    """What the API itself says to the sample, and to its image and its text alone."""
    image = {"image": ("sample.png", sample.image)}
    parts: dict[str, dict[str, Any]] = {
        "both": {"files": image, "data": {"text": sample.text}},
        "image": {"files": image},
        "text": {"json": {"text": sample.text}},
    }
    async with httpx.AsyncClient(base_url=stack.url, timeout=30, trust_env=False) as client:
        return {
            name: (await client.post("/v1/classify", **each)).json() for name, each in parts.items()
        }


def shown(score: float) -> str:
    """A score as the page writes it."""
    return "> 99.9 %" if score > 0.999 else f"{100 * score:.1f} %"


async def test_page_shows_what_the_api_says_to_a_sample(stack: Stack, sample: Sample) -> None:
    said = await answers(stack, sample)
    async with running_chromium() as browser, open_page(browser, f"{stack.url}/") as page:
        await page.get_by_role("button", name=sample.text, exact=True).click()

        await expect(page.locator("#truth")).to_have_text(
            f"It is in truth {sample.label}. The answer is right."
        )
        for place in ("#verdict", "#image-alone", "#text-alone"):
            answer = said[place.removeprefix("#").removesuffix("-alone").replace("verdict", "both")]
            await expect(page.locator(f"{place} strong")).to_have_text(answer["label"])
            await expect(page.locator(f"{place} .score")).to_have_text(shown(answer["score"]))
        await expect(page.locator(".scores .name")).to_have_text(
            [each["label"] for each in said["both"]["top_k"]]
        )
        await expect(page.locator("#stages li")).to_have_count(7)
        await expect(page.locator("#facts")).to_contain_text(f"{DEMO}@")

        no_image: FilePayload = {
            "name": "notes.png",
            "mimeType": "image/png",
            "buffer": b"dear diary",
        }
        await page.set_input_files("#image", no_image)
        await page.get_by_role("button", name="Classify").click()
        problem = page.locator("#problem")
        await expect(problem).to_contain_text("422")
        await expect(page.locator("#drop")).to_have_attribute("aria-invalid", "true")

        await page.get_by_role("link", name="Experiments").click()
        await expect(page.locator("#default")).to_contain_text(DEMO)
        await expect(page.get_by_role("status")).to_have_text("Live, every two seconds.")
