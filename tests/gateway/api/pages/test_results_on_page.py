"""What came of an experiment, as the page shows it: with a database, feedback and a ramp."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from gateway.api.results_schemas import ResultsAnswer
from tests.gateway.admin import EXPERIMENT, Admin, run_admin
from tests.gateway.receipts.receipts import write_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page, Route

    from tests.gateway.api.pages.conftest import OpenPage
    from tests.gateway.conftest import StartGateway
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

DECLARED = {
    "control": "demo",
    "arms": {"demo": {"weight": 1}, "other": {"weight": 1}},
    # The fake Triton is as sure of wrong answers as of right ones.
    "ramp": {"steps": [50, 100], "margin": 0.05, "guardrails": {"max_calibration_error": 0.99}},
}
UNITS = 90
PREDICTED = "travel"  # by the fake Triton, whatever the variant


@pytest.fixture
async def admin(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> AsyncIterator[Admin]:
    """A gateway with a ramp that has begun."""
    receipts = write_keys(tmp_path)
    async with run_admin(start_gateway, triton, tmp_path, receipt_keys_file=receipts) as running:
        assert (await running.call("PUT", EXPERIMENT, DECLARED)).status_code < 300
        assert (await running.call("POST", f"{EXPERIMENT}/ramp/start")).status_code == 200
        yield running


def url_of(admin: Admin) -> str:
    return f"http://127.0.0.1:{admin.gateway.ports.http}/experiments"


async def give_key(page: Page, admin: Admin) -> None:
    await page.get_by_label("API key").fill(admin.other_key)
    await page.get_by_role("button", name="Use it").click()


async def learn_truth(admin: Admin) -> None:
    """Classifies, and sends labels: `other` is always right, `demo` every third time."""
    items = []
    for number in range(UNITS):
        answer = await admin.classify(unit=f"u{number}")
        is_right = answer["variant"] == "other" or number % 3 == 0
        label = PREDICTED if is_right else "food"
        items.append({"prediction_id": answer["prediction_id"], "label": label})
    given = await admin.call("POST", "/v1/feedback:batch", {"items": items})
    assert given.status_code == 200, given.text


async def test_page_shows_verdict_ramp_and_guardrails_from_feedback(
    admin: Admin, open_in_browser: OpenPage
) -> None:
    async with open_in_browser(url_of(admin)) as page:
        await give_key(page, admin)
        card = page.locator(".card", has_text="heads")
        await expect(card).to_contain_text("other cannot be compared with demo yet")
        await expect(card).to_contain_text("send true labels to POST /v1/feedback")
        region = card.get_by_role("region", name="Results of heads")
        await region.focus()

        await learn_truth(admin)

        await expect(card).to_contain_text("Decided: other is better than demo")
        await expect(card).to_contain_text("What all replicas counted")
        await expect(region.locator("tbody tr").nth(1)).to_contain_text("100 %")
        await expect(card.get_by_role("list", name="Steps").locator("[aria-current]")).to_have_text(
            "50 %"
        )
        await expect(card).to_contain_text("more time on this step")
        await expect(card).to_contain_text("Lost accuracy, surely")
        await expect(card).to_contain_text("0 points, bound 5 points")
        await expect(card.locator(".decisions li")).to_contain_text("Started at 50 %")
        assert await region.evaluate("region => region === document.activeElement")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


async def test_page_warns_of_missing_units_and_shows_a_ramp_that_was_rolled_back(
    admin: Admin, open_in_browser: OpenPage
) -> None:
    def worsen(answer: dict[str, Any]) -> dict[str, Any]:
        """Makes of what this gateway says what another would after a bad day."""
        breach = {"name": "failures", "bound": 0.02, "value": 0.4}
        evidence = {"log_evidence": 20.0, "log_threshold": 14.8}
        worse = {
            "id": 2,
            "at": "2026-01-02T03:04:05+00:00",
            "action": "roll_back",
            "step": 0,
            "share": 0.0,
            "reasons": ["guardrail_failures"],
            "figures": {"difference": -0.2, "interval": [-0.3, -0.1]},
            "actor": "ramp",
            "leader_token": 1,
        }
        answer["guardrails"] = [breach | evidence]
        answer["allocation"] |= {"units": {"demo": 900, "other": 100}, "is_mismatch": True}
        answer["ramp"] |= {"status": "rolled_back", "share": 0.0, "waits_for": []}
        answer["decisions"] = [worse, *answer["decisions"]]
        ResultsAnswer.model_validate(answer)
        return answer

    async def answer_worse(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, body=json.dumps(worsen(await response.json())))

    async with open_in_browser(url_of(admin), color_scheme="dark") as page:
        await page.route("**/results", answer_worse)
        await give_key(page, admin)
        card = page.locator(".card", has_text="heads")
        await expect(card.get_by_role("alert")).to_contain_text("Sample ratio mismatch")
        await expect(card).to_contain_text("other has 100, 10.0 % where 50 % was meant")
        await expect(card).to_contain_text("40.0 %, bound 2.0 %")
        await expect(card.locator(".gate")).to_have_text("breached")
        await expect(card.locator(".state.rolled_back")).to_have_text("rolled back")
        await expect(card.locator(".decisions li").first).to_contain_text(
            "too many failures; accuracy \N{MINUS SIGN}20 points"
        )
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

        await page.unroute("**/results")
        await page.route("**/results", lambda route: route.abort("connectionrefused"))
        await expect(card).to_contain_text("Its results could not be read")
        await expect(card).to_contain_text("Sample ratio mismatch")  # what was known stays
        await expect(page.get_by_role("status").first).to_have_text("Live, every two seconds.")


async def test_page_without_a_database_says_once_what_that_leaves_out(
    start_gateway: StartGateway, open_in_browser: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(
        '[[experiments]]\nname = "heads"\ncontrol = "demo"\n[experiments.arms]\n'
        "demo = { weight = 1 }\nother = { weight = 1 }\n"
    )
    async with (
        start_gateway(experiments_file=file) as gateway,
        open_in_browser(f"http://127.0.0.1:{gateway.ports.http}/experiments") as page,
    ):
        card = page.locator(".card", has_text="heads")
        await expect(card).to_contain_text("What this process alone counted")
        await expect(card.get_by_text("DIPTYCH_GATEWAY_DATABASE_URL")).to_have_count(1)
