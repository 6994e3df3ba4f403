"""Where an image may be fetched from: https, a host of the allow list, nothing in disguise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from gateway.allowed_hosts import is_host_name
from gateway.errors import InvalidInputError

if TYPE_CHECKING:
    from gateway.allowed_hosts import AllowedHosts

FIELD: Final = "image_url"
MAX_URL_CHARS: Final = 2048

_PRINTABLE: Final = re.compile(r"[!-\[\]-~]+")  # ASCII without space, controls and backslash
_HTTPS_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class Location:
    """A URL that may be fetched.

    Attributes:
        url: in full, without a fragment.
        host: its host, in lower case.
    """

    url: str
    host: str


def locate(url: str, allowed: AllowedHosts) -> Location:
    """Checks a URL.

    Raises:
        InvalidInputError: it is not an https URL of an allowed host; says what is not.
    """
    if len(url) > MAX_URL_CHARS:
        raise InvalidInputError(
            "image_url_too_long",
            f"image_url is longer than {MAX_URL_CHARS} characters.",
            field=FIELD,
            limit=MAX_URL_CHARS,
            actual=len(url),
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _not_a_url() from None
    if not _PRINTABLE.fullmatch(url) or not parts.hostname:
        raise _not_a_url()
    if parts.scheme != "https" or port not in {None, _HTTPS_PORT}:
        raise InvalidInputError(
            "image_url_not_https", "image_url must be https on port 443.", field=FIELD
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError(
            "image_url_has_credentials", "image_url must hold no user and no password.", field=FIELD
        )
    host = parts.hostname.removesuffix(".")
    if not is_host_name(host) or host not in allowed:
        raise InvalidInputError(
            "image_url_host_not_allowed",
            "The host of image_url, or of what it redirects to, is not one that this service "
            "fetches from.",
            field=FIELD,
        )
    return Location(f"https://{host}{parts.path or '/'}{_query(parts.query)}", host)


def follow(location: Location, target: str, allowed: AllowedHosts) -> Location:
    """Checks where a redirect leads, as if the caller had named it.

    Raises:
        InvalidInputError: it leads to what may not be fetched.
    """
    return locate(urljoin(location.url, target), allowed)


def _query(query: str) -> str:
    return f"?{query}" if query else ""


def _not_a_url() -> InvalidInputError:
    return InvalidInputError("image_url_invalid", "image_url is not a URL.", field=FIELD)
