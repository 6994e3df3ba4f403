"""Follows a file, so that what it says is in force without a restart.

It is looked at every second, by its name: a mounted Kubernetes secret changes by a symbolic link
that is pointed elsewhere, of which a watch on the file would not hear. A file that is not right is
refused whole, and what was good goes on. The files of API keys and of receipt keys are followed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_S: Final = 1.0

Content = TypeVar("Content")
Fault = TypeVar("Fault", bound=Exception)
FileSignature = tuple[int, int, int] | None
"""Time of modification, size and inode."""


class FollowedFile(Generic[Content, Fault]):
    """A file and what is to be done when it changes.

    Args:
        path: of the file.
        read: reads it, in a thread.
        fault: what `read` raises where the file is not right.
        take: is given what a file that changed says.
        refuse: is given the fault of one that is not right.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], Content],
        fault: type[Fault],
        *,
        take: Callable[[Content], None],
        refuse: Callable[[Fault], None],
    ) -> None:
        self._path = path
        self._read = read
        self._fault = fault
        self._take = take
        self._refuse = refuse
        self._signature = _signature(path)

    async def run(self) -> None:
        """Follows the file until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Looks once, and takes over what is new."""
        signature = await asyncio.to_thread(_signature, self._path)
        if signature == self._signature:
            return
        # Before it is read: a change while it is being read is seen by the next look.
        self._signature = signature
        try:
            content = await asyncio.to_thread(self._read)
        except self._fault as fault:
            self._refuse(fault)
            return
        self._take(content)


def _signature(path: Path) -> FileSignature:
    """Returns what differs when a file was changed or replaced; None when there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino
