"""Follows the file of API keys: callers come and go without a restart."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from gateway.followed_file import FollowedFile
from gateway.identity.keys_file import read_keys
from gateway.start_errors import KeysFileError
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.identity.key_ring import KeyRing
    from gateway.identity.keys_file import KeySet

_LOG: Final = logging.getLogger(__name__)


class KeysObserver(Protocol):
    """Where the watch shows what it does; `telemetry.metrics.Metrics` is one."""

    def set_api_keys(self, count: int) -> None:
        """Shows how many keys are good."""

    def count_keys_reload(self, *, is_refused: bool) -> None:
        """Counts a change of the file."""


def follow_api_keys(
    path: Path, ring: KeyRing, observer: KeysObserver, *, is_exposed: bool
) -> FollowedFile[KeySet, KeysFileError]:
    """Makes what keeps a key ring like its file.

    Args:
        path: of the file.
        ring: is given the keys.
        observer: is shown what happens.
        is_exposed: whether other machines can reach this process.
    """

    def take(keys: KeySet) -> None:
        ring.replace(keys)
        observer.count_keys_reload(is_refused=False)
        observer.set_api_keys(len(keys.records))
        log_event(_LOG, logging.INFO, "api_keys_loaded", path=str(path), keys=len(keys.records))

    def refuse(error: KeysFileError) -> None:
        observer.count_keys_reload(is_refused=True)
        log_event(
            _LOG,
            logging.ERROR,
            "api_keys_refused",
            path=str(path),
            faults=error.faults,
            keys_kept=len(ring),
        )

    read = partial(read_keys, path, is_exposed=is_exposed)
    return FollowedFile(path, read, KeysFileError, take=take, refuse=refuse)
