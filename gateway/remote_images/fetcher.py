"""Fetches an image by URL, within bounds of hosts, addresses, hops, bytes and time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpcore

from gateway.errors import GatewayError, InvalidInputError, OverloadedError, PayloadTooLargeError
from gateway.remote_images.locations import FIELD, Location, follow, locate
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    import ssl

    from gateway.allowed_hosts import AllowedHosts
    from gateway.telemetry.metrics import Metrics

_LOG: Final = logging.getLogger(__name__)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# No cookies, no credentials, nothing of the caller's request.
_HEADERS: Final = [
    (b"Accept", b"image/*"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"diptych"),
]
_MAX_IDLE: Final = 16
_IDLE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch, and all of them together, may take.

    Attributes:
        max_bytes: of the image file.
        max_redirects: hops after the first request.
        max_concurrency: fetches at a time; further ones are refused.
    """

    max_bytes: int
    max_redirects: int
    max_concurrency: int


class ImageFetcher:
    """Fetches images for callers.

    Args:
        allowed: hosts that may be fetched from.
        limits: of the fetches.
        pool: makes the connections, to public addresses only; closed with this fetcher.
        metrics: outcomes go there.
    """

    def __init__(
        self,
        allowed: AllowedHosts,
        limits: FetchLimits,
        pool: httpcore.AsyncConnectionPool,
        metrics: Metrics,
    ) -> None:
        self._allowed = allowed
        self._limits = limits
        self._pool = pool
        self._metrics = metrics
        self._running = 0

    async def fetch(self, url: str, timeout_s: float) -> bytes:
        """Returns the image file that a URL leads to.

        Raises:
            InvalidInputError: the URL may not be fetched, or leads to no image within `timeout_s`.
            PayloadTooLargeError: the file is above its limit.
            OverloadedError: as many fetches run as are allowed.
        """
        outcome = "ok"
        try:
            return await self._fetch_in_time(locate(url, self._allowed), timeout_s)
        except GatewayError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._metrics.count_image_fetch(outcome)

    async def close(self) -> None:
        """Closes idle connections; to be called when nothing is fetched any more."""
        await self._pool.aclose()

    async def _fetch_in_time(self, location: Location, timeout_s: float) -> bytes:
        if self._running >= self._limits.max_concurrency:
            raise OverloadedError("As many images are fetched as are allowed; try again later.")
        self._running += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(location)
        except TimeoutError as error:
            raise _refusal(
                "image_url_timeout", "image_url did not answer within the time of the request."
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            # One answer for all of these: it must not tell what the gateway's network looks like.
            log_event(
                _LOG, logging.INFO, "image_url_failed", host=location.host, reason=repr(error)
            )
            raise _refusal("image_url_unreachable", "image_url could not be fetched.") from error
        finally:
            self._running -= 1

    async def _follow(self, location: Location) -> bytes:
        for _ in range(self._limits.max_redirects + 1):
            async with self._pool.stream("GET", location.url, headers=_HEADERS) as response:
                if response.status not in _REDIRECTS:
                    return await self._read(response)
                target = _header(response, b"location")
            if target is None:
                break
            location = follow(location, target, self._allowed)
        raise _refusal(
            "image_url_redirects",
            f"image_url redirects nowhere, or more than {self._limits.max_redirects} times.",
        )

    async def _read(self, response: httpcore.Response) -> bytes:
        if response.status != 200:
            raise _refusal("image_url_status", f"image_url answered {response.status}, not 200.")
        media_type = (_header(response, b"content-type") or "").partition(";")[0].strip().lower()
        if not media_type.startswith("image/") and media_type != "application/octet-stream":
            raise _refusal("image_url_not_an_image", "What image_url leads to is not an image.")
        if (_header(response, b"content-encoding") or "identity") != "identity":
            raise _refusal("image_url_encoded", "What image_url leads to is compressed once more.")
        length = _header(response, b"content-length") or ""
        if length.isascii() and length.isdigit():
            self._check_size(int(length))
        content = bytearray()
        async for chunk in response.aiter_stream():
            content += chunk
            self._check_size(len(content))
        return bytes(content)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._limits.max_bytes:
            raise PayloadTooLargeError(
                "image_too_large",
                f"The image at image_url is larger than {self._limits.max_bytes} bytes.",
                field=FIELD,
                limit=self._limits.max_bytes,
            )


def make_pool(
    network: httpcore.AsyncNetworkBackend, max_connections: int, tls: ssl.SSLContext | None = None
) -> httpcore.AsyncConnectionPool:
    """Makes the connections of a fetcher: verified TLS, no proxy whatever the environment says.

    Args:
        network: connects.
        max_connections: at a time; as many as fetches.
        tls: whom to trust; None: the system's and certifi's authorities.
    """
    return httpcore.AsyncConnectionPool(
        ssl_context=tls or httpcore.default_ssl_context(),
        max_connections=max_connections,
        max_keepalive_connections=_MAX_IDLE,
        keepalive_expiry=_IDLE_S,
        network_backend=network,
    )


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def _refusal(code: str, detail: str) -> InvalidInputError:
    return InvalidInputError(code, detail, field=FIELD)
