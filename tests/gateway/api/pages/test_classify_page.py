"""The page to try the service by hand, in a real browser and in front of a fake Triton."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from gateway.contract.manifest import EnsembleManifest, ModalitySet, TaskManifest
from tests.gateway.conftest import RunningGateway, run_gateway, run_triton
from tests.gateway.fake_triton import BROKEN_IMAGE
from tests.gateway.key_files import Keys
from tests.gateway.manifests import make_dual_repository, make_manifest, make_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import FilePayload, Route

    from tests.gateway.api.pages.conftest import OpenPage
    from tests.gateway.conftest import StartGateway
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

# 1 x 1 pixel
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f8"
    "0f00010501012718e3660000000049454e44ae426082"
)
HOSTILE = '<img src=x onerror="document.title=1">'
OLDER = datetime(2025, 1, 1, tzinfo=UTC)


def picture(name: str = 'a "b".png', content: bytes = PIXEL) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": content}


def tasks_manifest(modalities: ModalitySet) -> EnsembleManifest:
    """Of a variant that answers the logits 0, 1, 2, 3, the first two being of its first task."""
    plain = make_manifest(modalities, variant="tasks", temperature=1.0, created_at=OLDER)
    kind = TaskManifest(
        name="kind", kind="one", labels=("cat", "dog"), temperature=1.0, quality=plain.quality
    )
    tags = TaskManifest(
        name="tags",
        kind="several",
        labels=("tame", "wild"),
        temperature=1.0,
        thresholds=(0.95, 0.95),
        quality=plain.quality,
    )
    fields = {"schema_version": 2, "labels": (*kind.labels, *tags.labels), "tasks": (kind, tags)}
    return EnsembleManifest.model_validate({**plain.model_dump(), **fields})


def repository() -> dict[str, str | None]:
    return {
        **make_repository(),
        **make_repository(variant="hostile", labels=("safe", HOSTILE), created_at=OLDER),
        **{f"tasks-{each}": tasks_manifest(each).model_dump_json() for each in ModalitySet},
        **make_dual_repository(),
    }


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[tuple[RunningGateway, FakeTriton]]:
    """A gateway with a classifier, one with tasks, one with hostile labels, and a dual tower."""
    async with run_triton() as triton:
        triton.repository = repository()
        async with run_gateway(triton) as gateway:
            yield gateway, triton


@pytest.fixture
def url(served: tuple[RunningGateway, FakeTriton]) -> str:
    return url_of(served[0])


def url_of(gateway: RunningGateway) -> str:
    return f"http://127.0.0.1:{gateway.ports.http}/"


def verdict(page: Page) -> Any:  # noqa: ANN401 - a locator
    return page.locator("#verdict strong")


async def test_page_classifies_with_the_keyboard_alone(url: str, open_in_browser: OpenPage) -> None:
    async with open_in_browser(url) as page:
        for _ in range(8):  # skip link, four links, the image, the sentence
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.id") == "text":
                break
        await page.keyboard.type("a small animal")
        await page.keyboard.press("Control+Enter")

        await expect(verdict(page)).to_have_text("travel")
        await expect(page.get_by_role("status")).to_contain_text("travel")
        scores = page.locator(".scores li")
        await expect(scores).to_have_count(3)
        widths = await page.locator(".scores .fill.both").evaluate_all(
            "fills => fills.map(fill => fill.getBoundingClientRect().width)"
        )
        assert widths == sorted(widths, reverse=True)
        assert widths[0] > 2 * widths[2]


async def test_page_shows_what_each_input_says_alone(
    served: tuple[RunningGateway, FakeTriton], url: str, open_in_browser: OpenPage
) -> None:
    triton = served[1]
    async with open_in_browser(url) as page:
        await page.set_input_files("#image", picture())
        await page.fill("#text", "a small animal")
        triton.requests.clear()
        await page.get_by_role("button", name="Classify").click()

        await expect(page.locator("#image-alone strong")).to_have_text("travel")
        await expect(page.locator("#text-alone strong")).to_have_text("travel")
        first = page.locator(".scores li").first
        await expect(first).to_contain_text(re.compile(r"image alone \d.* text alone \d"))
        asked = [each.model_name.split("-")[1] for each in triton.requests]
        assert asked[0] == "both"
        assert sorted(asked[1:]) == ["image", "text"]

        await page.get_by_label("Also ask").uncheck()
        triton.requests.clear()
        await page.get_by_role("button", name="Classify").click()
        await expect(page.locator("#text-alone")).to_be_hidden()
        assert len(triton.requests) == 1


async def test_page_shows_every_stage_and_who_answered(url: str, open_in_browser: OpenPage) -> None:
    async with open_in_browser(url) as page:
        await page.set_input_files("#image", picture())
        await page.fill("#text", "a")
        await page.get_by_role("button", name="Classify").click()

        await expect(page.locator("#stages li")).to_have_count(7)
        stages = await page.locator("#stages li").all_inner_texts()
        assert [each.split("\n")[0] for each in stages] == [
            *("Receive", "Triton", "Decode", "Image encoder", "Tokenise", "Text encoder"),
            "Respond",
        ]
        assert "11 ms" in stages[3]  # the trace of the fake Triton
        facts = await page.locator("#facts").inner_text()
        assert "demo@aaaaaaaaaaaa" in facts
        assert "it is the newest" in facts


async def test_page_command_asks_the_same_from_a_shell(
    url: str, open_in_browser: OpenPage, tmp_path: Path
) -> None:
    (tmp_path / picture()["name"]).write_bytes(PIXEL)
    async with open_in_browser(url) as page:
        await page.set_input_files("#image", picture())
        await page.fill("#text", 'it\'s @"$HOME" `id`;\n<b>')
        command = await page.locator("#command").inner_text()
        await page.get_by_role("button", name="Classify").click()
        score = await page.locator("#verdict .score").inner_text()

        result = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        answered = json.loads(result.stdout)
        assert (answered["modalities"], answered["label"]) == (["image", "text"], "travel")
        assert score == f"{100 * answered['score']:.1f} %"


async def test_page_takes_an_image_that_is_dropped_or_pasted(
    url: str, open_in_browser: OpenPage
) -> None:
    async with open_in_browser(url) as page:
        for event, held in (("drop", "dataTransfer"), ("paste", "clipboardData")):
            await page.evaluate(
                """([event, held]) => {
                    const data = new DataTransfer();
                    data.items.add(new File([new Uint8Array([1, 2])], `${event}ed.png`));
                    const Kind = event === "drop" ? DragEvent : ClipboardEvent;
                    document.body.dispatchEvent(
                        new Kind(event, { [held]: data, bubbles: true, cancelable: true }));
                }""",
                [event, held],
            )
            await expect(page.locator("#image-facts")).to_have_text(f"{event}ed.png, 2 bytes")
        await page.get_by_role("button", name="Remove the image").click()
        await expect(page.locator("#image-facts")).to_be_hidden()
        await expect(page.locator("#command-part")).to_be_hidden()


async def test_page_offers_labels_where_a_dual_tower_may_answer(
    url: str, open_in_browser: OpenPage
) -> None:
    async with open_in_browser(url) as page:
        await page.select_option("#variant", "demo")
        await expect(page.locator("#labels")).to_be_hidden()
        await page.select_option("#variant", "towers")
        await page.fill("#text", "red square")
        await page.fill("#labels", "red square\n\n blue circle ")
        await page.get_by_role("button", name="Classify").click()

        await expect(verdict(page)).to_have_text("red square")
        await expect(page.locator(".scores li")).to_have_count(2)
        await expect(page.locator("#stages")).to_contain_text("New labels")
        await expect(page.locator("#command")).to_contain_text("'labels=blue circle'")

        await page.fill("#labels", "one")
        await page.get_by_role("button", name="Classify").click()
        await expect(page.get_by_role("alert")).to_contain_text("labels")
        await expect(page.locator("#labels")).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#answer")).to_be_hidden()


async def test_page_shows_every_task_and_what_applies(url: str, open_in_browser: OpenPage) -> None:
    async with open_in_browser(url) as page:
        await page.select_option("#variant", "tasks")
        await page.fill("#text", "a")
        await page.get_by_role("button", name="Classify").click()

        await expect(page.locator(".task h3")).to_have_text(["kind", "tags"])
        tags = page.locator(".task").nth(1).locator("li")
        await expect(tags).to_have_count(2)
        await expect(tags.nth(0)).to_contain_text("95.3 %; applies from 95.0 %applies")
        await expect(tags.nth(1)).not_to_have_class("applies")
        await expect(page.locator(".threshold")).to_have_count(2)


async def test_page_shows_hostile_labels_as_text(url: str, open_in_browser: OpenPage) -> None:
    async with open_in_browser(url) as page:
        await page.select_option("#variant", "hostile")
        await page.fill("#text", HOSTILE)
        await page.get_by_role("button", name="Classify").click()

        await expect(verdict(page)).to_have_text(HOSTILE)
        assert await page.locator("main img[src=x]").count() == 0
        assert await page.title() == "Diptych: classify an image and a sentence"


async def test_page_says_a_problem_in_its_own_words(url: str, open_in_browser: OpenPage) -> None:
    async with open_in_browser(url) as page:
        await page.get_by_role("button", name="Classify").click()
        nothing = await page.get_by_role("alert").inner_text()
        await page.set_input_files("#image", picture("broken.png", BROKEN_IMAGE))
        await page.get_by_role("button", name="Classify").click()

        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("The image cannot be decoded.")
        await expect(page.locator("#problem")).to_contain_text("image_undecodable, 422")
        await expect(page.locator("#drop")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        assert "image" in nothing
        assert "text" in nothing


async def test_page_asks_for_a_key_and_waits_as_long_as_it_is_told(
    start_gateway: StartGateway, open_in_browser: OpenPage, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop", extra="rate_rps = 0.5\nburst = 1")
    async with (
        start_gateway(api_keys_file=keys.path) as gateway,
        open_in_browser(url_of(gateway)) as page,
    ):
        field = page.get_by_role("textbox", name="API key")
        await expect(page.get_by_role("alert")).to_contain_text("key")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        await field.fill("a guess")
        await page.get_by_role("button", name="Use it").click()
        await expect(page.locator("#problem")).to_contain_text("key_unknown, 401")
        await field.fill(key)
        await page.get_by_role("button", name="Use it").click()
        await expect(page.locator("#problem")).to_be_hidden()
        await expect(field).to_be_hidden()

        await page.get_by_label("Also ask").uncheck()
        await page.fill("#text", "a")
        await expect(page.locator("#command")).to_contain_text('X-Api-Key: $DIPTYCH_API_KEY"')
        await page.get_by_role("button", name="Classify").click()
        await expect(verdict(page)).to_have_text("travel")
        await page.get_by_role("button", name="Classify").click()
        await expect(page.locator("#problem")).to_contain_text("rate_limit, 429")
        again = page.get_by_role("button", name="Try again")
        await expect(again).to_be_disabled()
        await expect(again).to_be_enabled()
        await again.click()
        await expect(verdict(page)).to_have_text("travel")

        await page.get_by_role("button", name="Forget it").click()
        await expect(field).to_be_visible()
        assert await page.evaluate("sessionStorage.length + localStorage.length") == 0


async def test_page_says_when_the_service_is_gone(
    start_gateway: StartGateway, open_in_browser: OpenPage
) -> None:
    async with start_gateway() as gateway, open_in_browser(url_of(gateway)) as page:
        await expect(page.locator("#variant option")).to_have_count(2)
        await page.route("**/v1/classify", lambda route: route.abort("connectionrefused"))
        await page.fill("#text", "a")
        await page.get_by_role("button", name="Classify").click()

        await expect(page.get_by_role("alert")).to_contain_text("could not be reached")
        await page.unroute("**/v1/classify")
        await page.get_by_role("button", name="Try again").click()
        await expect(verdict(page)).to_have_text("travel")


async def test_page_works_behind_a_path_that_a_proxy_strips(
    url: str, open_in_browser: OpenPage
) -> None:
    async def strip(route: Route) -> None:
        stripped = route.request.url.replace("/behind/", "/")
        await route.fulfill(response=await route.fetch(url=stripped))

    async with open_in_browser(url) as page:
        await page.route("**/behind/**", strip)
        await page.goto(f"{url}behind/")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.fill("#text", "a")
        await page.get_by_role("button", name="Classify").click()
        await expect(verdict(page)).to_have_text("travel")
        await page.get_by_role("link", name="Experiments").click()
        await expect(page.locator("#default")).to_contain_text("demo")
        assert [each for each in asked if not each.startswith(f"{url}behind/")] == []


async def test_page_says_when_nothing_is_served(
    start_gateway: StartGateway, triton: FakeTriton, open_in_browser: OpenPage
) -> None:
    triton.repository = {}
    async with start_gateway() as gateway, open_in_browser(url_of(gateway)) as page:
        await expect(page.get_by_role("alert")).to_contain_text("No variant is routed")
        triton.repository = repository()
        await eventually_served(gateway)
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("#problem")).to_be_hidden()
        await expect(page.locator("#variant option")).to_have_count(5)


async def eventually_served(gateway: RunningGateway) -> None:
    async with asyncio.timeout(10):
        while not (await gateway.http.get("/v1/models")).json()["models"]:  # noqa: ASYNC110 - of a server
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_has_no_fault_that_axe_finds(
    url: str, open_in_browser: OpenPage, scheme: str
) -> None:
    async with open_in_browser(
        url, color_scheme=scheme, reduced_motion="reduce", viewport={"width": 320, "height": 700}
    ) as page:
        await page.select_option("#variant", "tasks")
        await page.set_input_files("#image", picture())
        await page.fill("#text", "a")
        await page.get_by_role("button", name="Classify").click()
        await expect(page.locator("#text-alone strong")).to_be_visible()
        answered = await Axe().run(page)
        assert answered.violations_count == 0, answered.generate_report()

        # WCAG 1.4.10: nothing has to be scrolled sideways at 320 pixels.
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        durations = "e => getComputedStyle(e).transitionDuration"
        assert await page.locator(".fill").first.evaluate(durations) == "0s"

        await page.get_by_role("button", name="Remove the image").click()
        await page.fill("#text", "")
        await page.select_option("#variant", "towers")
        await page.get_by_role("button", name="Classify").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        refused = await Axe().run(page)
        assert refused.violations_count == 0, refused.generate_report()
