"""A web site with images, behind TLS of an authority of its own, on loopback."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trustme

from gateway.remote_images.pinned_network import PinnedNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpcore

HOST = "images.example.com"
IMAGE = b"\xff\xd8 stands for an image"


def answer(status: int = 200, body: bytes = IMAGE, **headers: str) -> bytes:
    fields = {"content_type": "image/jpeg", "content_length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def redirect(target: str) -> bytes:
    return answer(302, b"", location=target)


@dataclass
class ImageSite:
    """What it answers by path; an answer of None never comes.

    Attributes:
        requests: heads that arrived, the host that TLS asked for before each.
    """

    answers: dict[str, bytes | None]
    port: int = 0
    requests: list[tuple[str | None, str]] = field(default_factory=list)
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                name = getattr(writer.get_extra_info("ssl_object"), "asked_for", None)
                self.requests.append((name, head))
                reply = self.answers.get(head.split()[1], answer(404))
                if reply is None:
                    await asyncio.sleep(3600)
                    return
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def run_image_site(**answers: bytes | None) -> AsyncIterator[ImageSite]:
    """Serves answers under their names as paths."""
    site = ImageSite({f"/{name}": reply for name, reply in answers.items()})
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "other.example.com").configure_cert(context)
    context.sni_callback = lambda sock, name, _: setattr(sock, "asked_for", name)
    site.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(site.trust)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


class ReroutedNetwork(PinnedNetwork):
    """Port 443, which a test may not bind, is the site's; all else is as in production."""

    def __init__(self, site: ImageSite, is_allowed: Callable[[str], bool], *found: str) -> None:
        async def resolve(host: str, port: int) -> list[str]:
            return list(found)

        super().__init__(is_allowed, resolve)
        self._port = site.port

    async def connect_tcp(
        self, host: str, port: int, *rest: object, **more: object
    ) -> httpcore.AsyncNetworkStream:
        return await super().connect_tcp(host, self._port, *rest, **more)  # type: ignore[arg-type]
