"""Asks a local process over HTTP whether it is ready. Imports the standard library alone."""

from __future__ import annotations

import http.client

_TIMEOUT_S = 1.0


def is_answering(host: str, port: int, path: str) -> bool:
    """Whether `GET http://host:port/path` is answered 200 within one second."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
