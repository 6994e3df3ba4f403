"""Where the service under test is, as `python -m loadtest run` is told; refused before it sends."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from loadtest.traffic.errors import AddressError

GRPC_TLS: Final = "grpcs://"
"""Begins the address of a gRPC API behind TLS, as an ingress serves it."""

_GRPC: Final = re.compile(r"(?:grpcs://)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?P<port>[0-9]{1,5})", re.A)


def rest_url(text: str) -> str:
    """Returns a REST API's address without a slash at its end.

    Raises:
        AddressError: it is no `http://host:port` or `https://host`.
    """
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0  # reading it raises where it is no port
    except ValueError:
        has_port = False
    # What is sent has the API's own paths, so a prefix would be left out without a word.
    rest = text.partition("://")[2].removesuffix("/")
    is_bare = has_port and parts.hostname is not None and rest == parts.netloc and "@" not in rest
    if not is_bare or parts.scheme not in {"http", "https"}:
        raise AddressError("--url", text, "http://host:port or https://host, without a path")
    return text.removesuffix("/")


def grpc_target(text: str) -> str:
    """Returns a gRPC API's address as it is.

    Raises:
        AddressError: it is neither `host:port` nor `grpcs://host:port`.
    """
    match = _GRPC.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65_535:
        raise AddressError("--grpc-target", text, "host:port, or grpcs://host:port behind TLS")
    return text
