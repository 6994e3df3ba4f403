"""Follows the keys file, so that keys come and go without a restart.

The file is looked at every second, by its name: a mounted Kubernetes secret changes by a symbolic
link that is pointed elsewhere, of which a watch on the file would not hear. A file that is not
right is refused whole, and the keys that were good go on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from gateway.identity.keys_file import read_keys
from gateway.start_errors import KeysFileError
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.identity.key_ring import KeyRing

_LOG: Final = logging.getLogger(__name__)
_LOOK_S: Final = 1.0

FileSignature = tuple[int, int, int] | None
"""Time of modification, size and inode."""


class KeysObserver(Protocol):
    """Where the watch shows what it does; `telemetry.metrics.Metrics` is one."""

    def set_api_keys(self, count: int) -> None:
        """Shows how many keys are good."""

    def count_keys_reload(self, *, is_refused: bool) -> None:
        """Counts a change of the file."""


class KeysWatch:
    """Keeps a key ring like its file.

    Args:
        path: of the file.
        is_exposed: whether other machines can reach this process.
        ring: is given the keys.
        observer: is shown what happens.
    """

    def __init__(
        self, path: Path, ring: KeyRing, observer: KeysObserver, *, is_exposed: bool
    ) -> None:
        self._path = path
        self._ring = ring
        self._observer = observer
        self._is_exposed = is_exposed
        self._signature = file_signature(path)

    async def run(self) -> None:
        """Follows the file until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Looks once, and takes over what is new."""
        signature = await asyncio.to_thread(file_signature, self._path)
        if signature == self._signature:
            return
        # Before it is read: a change while it is being read is seen by the next look.
        self._signature = signature
        try:
            keys = await asyncio.to_thread(read_keys, self._path, is_exposed=self._is_exposed)
        except KeysFileError as error:
            self._observer.count_keys_reload(is_refused=True)
            log_event(
                _LOG,
                logging.ERROR,
                "api_keys_refused",
                path=str(self._path),
                faults=error.faults,
                keys_kept=len(self._ring),
            )
            return
        self._ring.replace(keys)
        self._observer.count_keys_reload(is_refused=False)
        self._observer.set_api_keys(len(keys.records))
        log_event(
            _LOG, logging.INFO, "api_keys_loaded", path=str(self._path), keys=len(keys.records)
        )


def file_signature(path: Path) -> FileSignature:
    """Returns what differs when a file was changed or replaced; None when there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino
