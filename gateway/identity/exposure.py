"""Decides at the start which keys the process begins with, and whether it may serve without any."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from gateway.identity.keys_file import KeySet, read_keys
from gateway.identity.principal import LOCAL_SCOPES
from gateway.start_errors import ExposedWithoutKeysError

if TYPE_CHECKING:
    from pathlib import Path


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that binds `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name: where it points to can change
        return False


def first_keys(path: Path | None, *hosts: str) -> KeySet:
    """Returns the keys to begin with.

    Args:
        path: of the keys file, or None.
        *hosts: that the servers bind.

    Raises:
        ExposedWithoutKeysError: there is no keys file, and other machines could reach a server.
        KeysFileError: the keys file is not right.
    """
    exposed = [host for host in hosts if not is_loopback(host)]
    if path is not None:
        return read_keys(path, is_exposed=bool(exposed))
    if exposed:
        raise ExposedWithoutKeysError(exposed[0])
    return KeySet(anonymous_scopes=LOCAL_SCOPES, is_enforced=False)
