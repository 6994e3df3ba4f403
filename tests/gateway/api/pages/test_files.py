"""The pages as files: what they load, what they forbid, who gets them."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from gateway.api import pages
from gateway.api.pages.files import PAGE_PATHS, page_files

if TYPE_CHECKING:
    from tests.gateway.conftest import RunningGateway, StartGateway

pytestmark = pytest.mark.anyio


def test_page_files_are_all_that_the_package_holds() -> None:
    packaged = [each for each in files(pages).iterdir() if not each.name.endswith(("py", "__"))]

    assert {each.read_bytes() for each in packaged} == {
        each.content for each in page_files().values()
    }


@pytest.mark.parametrize("path", sorted(PAGE_PATHS))
def test_page_file_names_nothing_outside_and_only_files_there_are(path: str) -> None:
    text = page_files()[path].content.decode()

    hosts = set(re.findall(r"\w+://[\w.-]+", text))
    assert hosts <= {"http://www.w3.org"}, "only the name of the SVG namespace, which is not loaded"
    loaded = re.findall(r'(?:src|href)="(assets/[^"]+)"', text)
    loaded += [f"assets/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
    assert {f"/{each}" for each in loaded} <= PAGE_PATHS


@pytest.mark.parametrize("path", ["/", "/experiments"])
async def test_page_may_load_its_own_files_and_nothing_else(
    shared_gateway: RunningGateway, path: str
) -> None:
    response = await shared_gateway.http.get(path)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        each.split(" ", 1) for each in response.headers["content-security-policy"].split("; ")
    )
    assert policy.pop("img-src") == "'self' blob:"
    own = {name for name, value in policy.items() if value == "'self'"}
    assert own == {"script-src", "style-src", "connect-src"}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_page_file_that_is_known_is_not_sent_again(shared_gateway: RunningGateway) -> None:
    first = await shared_gateway.http.get("/assets/page.css")
    again = await shared_gateway.http.get(
        "/assets/page.css", headers={"If-None-Match": f"W/{first.headers['etag']}"}
    )
    other = await shared_gateway.http.get("/assets/page.css", headers={"If-None-Match": '"old"'})

    assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
    assert again.content == b""
    assert first.headers["cache-control"] == "no-cache"


async def test_pages_switched_off_are_not_found(start_gateway: StartGateway) -> None:
    async with start_gateway(has_pages=False) as gateway:
        for path in (*PAGE_PATHS, "/v1/samples"):
            response = await gateway.http.get(path)
            assert (response.status_code, response.json()["code"]) == (404, "not_found"), path
        assert (await gateway.http.get("/docs")).status_code == 200
