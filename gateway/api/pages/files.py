"""The files of the pages: read once, served from memory, with a policy that closes all else.

Their HTML names everything relative to itself, so they also work behind a path that a proxy strips.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.responses import Response

from gateway.api.security_headers import page_headers

_NAMES: Final = {
    "/": "classify.html",
    "/experiments": "experiments.html",
    "/assets/page.css": "page.css",
    "/assets/elements.js": "elements.js",
    "/assets/service.js": "service.js",
    "/assets/notices.js": "notices.js",
    "/assets/request.js": "request.js",
    "/assets/answer.js": "answer.js",
    "/assets/stages.js": "stages.js",
    "/assets/image.js": "image.js",
    "/assets/gallery.js": "gallery.js",
    "/assets/classify.js": "classify.js",
    "/assets/experiments.js": "experiments.js",
    "/assets/cards.js": "cards.js",
    "/assets/rates.js": "rates.js",
    "/assets/results.js": "results.js",
    "/assets/verdict.js": "verdict.js",
    "/assets/ramp.js": "ramp.js",
    "/assets/diptych.svg": "diptych.svg",
}
PAGE_PATHS: Final = frozenset(_NAMES)
"""URL paths of all files. They hold nothing of the service, so nobody needs a key to read them."""

_MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# The pages write text nodes alone; with `trusted-types 'none'` a slip could not write HTML either.
_SOURCES: Final = (
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "connect-src 'self'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it is served.

    Attributes:
        content: its bytes.
        headers: of every answer with it. A browser asks each time whether its copy is still good,
            so that a new release shows at once.
    """

    content: bytes
    headers: dict[str, str]

    def response(self, known: str | None) -> Response:
        """Returns the file, or 304 without it.

        Args:
            known: the request's `If-None-Match`.
        """
        if known is not None and self.headers["etag"] in known:
            return Response(status_code=304, headers=self.headers)
        return Response(self.content, headers=self.headers)


@cache
def page_files() -> dict[str, PageFile]:
    """Returns all files by URL path."""
    return {path: _read(name) for path, name in _NAMES.items()}


def _read(name: str) -> PageFile:
    content = files(__package__).joinpath(name).read_bytes()
    headers = {
        "content-type": _MEDIA_TYPES[name.rpartition(".")[2]],
        "cache-control": "no-cache",
        "etag": f'"{hashlib.sha256(content).hexdigest()[:16]}"',
        **page_headers(*(_SOURCES if name.endswith(".html") else ())),
    }
    return PageFile(content, headers)
