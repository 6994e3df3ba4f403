"""The fetcher against a real TLS site; the resolver and the allowed addresses are the test's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from gateway.allowed_hosts import AllowedHosts
from gateway.errors import GatewayError
from gateway.remote_images.addresses import is_public
from gateway.remote_images.fetcher import FetchLimits, ImageFetcher, make_pool
from gateway.telemetry.metrics import Metrics
from tests.gateway.remote_images.image_site import (
    HOST,
    IMAGE,
    ImageSite,
    ReroutedNetwork,
    answer,
    redirect,
    run_image_site,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

LIMITS = FetchLimits(max_bytes=1000, max_redirects=2, max_concurrency=1)
ALLOWED = AllowedHosts.of([HOST, "other.example.com", "third.example.com"])


@asynccontextmanager
async def fetching(
    site: ImageSite, *found: str, is_allowed: Callable[[str], bool] = lambda _: True
) -> AsyncIterator[ImageFetcher]:
    network = ReroutedNetwork(site, is_allowed, *(found or ("127.0.0.1",)))
    pool = make_pool(network, LIMITS.max_concurrency, site.trust)
    fetcher = ImageFetcher(ALLOWED, LIMITS, pool, Metrics(CollectorRegistry()))
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def code_of(fetcher: ImageFetcher, path: str, host: str = HOST) -> str:
    with pytest.raises(GatewayError) as caught:
        await fetcher.fetch(f"https://{host}/{path}", 5)
    return caught.value.code


async def test_fetch_asks_for_the_name_and_sends_nothing_of_the_caller() -> None:
    async with run_image_site(a=answer()) as site, fetching(site) as fetcher:
        assert await fetcher.fetch(f"https://{HOST}/a", 5) == IMAGE
        name, head = site.requests[-1]

    assert name == HOST
    assert f"Host: {HOST}" in head
    assert "cookie" not in head.lower()
    assert "authorization" not in head.lower()


async def test_fetch_follows_redirects_and_checks_each() -> None:
    replies = {
        "near": redirect("/a"),
        "far": redirect("https://other.example.com/a"),
        "out": redirect("https://evil.com/a"),
        "down": redirect(f"http://{HOST}/a"),
        "endless": redirect("/endless"),
        "nowhere": answer(302, b""),
    }
    async with run_image_site(a=answer(), **replies) as site, fetching(site) as fetcher:
        assert await fetcher.fetch(f"https://{HOST}/near", 5) == IMAGE
        assert await fetcher.fetch(f"https://{HOST}/far", 5) == IMAGE
        assert await code_of(fetcher, "out") == "image_url_host_not_allowed"
        assert await code_of(fetcher, "down") == "image_url_not_https"
        assert await code_of(fetcher, "endless") == "image_url_redirects"
        assert await code_of(fetcher, "nowhere") == "image_url_redirects"


async def test_fetch_of_what_is_no_image_is_refused() -> None:
    replies = {
        "page": answer(content_type="text/html"),
        "packed": answer(content_encoding="gzip"),
        "said_large": answer(content_length="100000"),
        "is_large": b"HTTP/1.1 200 X\r\ncontent-type: image/png\r\nconnection: close\r\n\r\n"
        + b"x" * 1001,
        "nonsense": b"not HTTP at all\r\n\r\n",
    }
    async with run_image_site(**replies) as site, fetching(site) as fetcher:
        assert await code_of(fetcher, "missing") == "image_url_status"
        assert await code_of(fetcher, "page") == "image_url_not_an_image"
        assert await code_of(fetcher, "packed") == "image_url_encoded"
        assert await code_of(fetcher, "said_large") == "image_too_large"
        assert await code_of(fetcher, "is_large") == "image_too_large"
        assert await code_of(fetcher, "nonsense") == "image_url_unreachable"


@pytest.mark.parametrize(
    "found", [("127.0.0.1",), ("10.0.0.1",), ("::ffff:127.0.0.1",), ("8.8.8.8", "127.0.0.1")]
)
async def test_fetch_from_a_name_that_leads_inside_never_connects(found: tuple[str, ...]) -> None:
    async with (
        run_image_site(a=answer()) as site,
        fetching(site, *found, is_allowed=is_public) as fetcher,
    ):
        assert await code_of(fetcher, "a") == "image_url_unreachable"

    assert site.requests == []


async def test_fetch_from_a_host_that_proves_another_name_is_refused() -> None:
    async with run_image_site(a=answer()) as site, fetching(site) as fetcher:
        assert await code_of(fetcher, "a", "third.example.com") == "image_url_unreachable"

    assert site.requests == []


async def test_fetch_that_takes_too_long_ends_in_time_and_frees_its_place() -> None:
    async with run_image_site(a=answer(), silent=None) as site, fetching(site) as fetcher:
        with pytest.raises(GatewayError) as caught:
            await fetcher.fetch(f"https://{HOST}/silent", 0.2)
        assert caught.value.code == "image_url_timeout"
        assert await fetcher.fetch(f"https://{HOST}/a", 5) == IMAGE
