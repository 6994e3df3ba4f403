"""The folder of captured parts: its lock, its parts, its bounds, and what writers left open.

    FOLDER/day=2026-11-22/part-<writer>-<number>.parquet    whole parts, nothing else
    FOLDER/.open/<writer>                                    locked by a writer that lives
    FOLDER/.forgotten/<name>.json                            units that were just forgotten
    FOLDER/.lock                                             held while parts change

One host's processes share a folder; the locks are `flock`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_DAY: Final = "day="
_TEMPORARY: Final = ".tmp-"
_FORGOTTEN_KEPT: Final = timedelta(hours=1)  # longer than any writer holds rows back


@dataclass(frozen=True, slots=True)
class FolderBounds:
    """How much is kept: the oldest day goes first."""

    max_bytes: int
    max_days: int


class CaptureFolder:
    """A folder of captured parts.

    Args:
        path: of the folder; made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open = path / ".open"
        self._forgotten = path / ".forgotten"
        for each in (path, self._open, self._forgotten):
            each.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps all others from changing parts for the length of the block."""
        with (self.path / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def parts(self) -> list[Path]:
        """Returns all whole parts, oldest first."""
        found = self.path.glob(f"{_DAY}*/*.parquet")
        return sorted(
            (each for each in found if not each.name.startswith(".")),
            key=lambda each: (each.parent.name, each.stat().st_mtime_ns),
        )

    def size_bytes(self) -> int:
        """Returns the size of all parts."""
        return sum(each.stat().st_size for each in self.parts())

    def write_part(self, day: date, writer: str, number: int, table: Any) -> Path:  # noqa: ANN401
        """Writes a part, whole or not at all. To be called while `locked`.

        Args:
            day: of its rows.
            writer: name of the writer.
            number: of the part among the writer's.
            table: a pyarrow table of `contract.capture.arrow_schema`.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        folder = self.path / f"{_DAY}{day.isoformat()}"
        folder.mkdir(exist_ok=True)
        target = folder / f"part-{writer}-{number:06d}.parquet"
        replace_part(target, table)
        return target

    def trim(self, bounds: FolderBounds, today: date) -> int:
        """Removes what is too old, and the oldest of what is too much.

        To be called while `locked`. Whole days go first; of the last day, its oldest parts.

        Returns:
            How many bytes were removed.
        """
        parts = self.parts()
        sizes = {each: each.stat().st_size for each in parts}
        oldest = f"{_DAY}{(today - timedelta(days=bounds.max_days)).isoformat()}"
        newest = parts[-1].parent if parts else None
        gone = [each for each in parts if each.parent.name <= oldest]
        kept = [each for each in parts if each.parent.name > oldest]
        excess = sum(sizes[each] for each in kept) - bounds.max_bytes
        while excess > 0 and kept:
            day = kept[0].parent
            # The day that is being written is not emptied because of one part too many.
            leaving = [each for each in kept if each.parent == day] if day != newest else kept[:1]
            gone += leaving
            kept = kept[len(leaving) :]
            excess -= sum(sizes[each] for each in leaving)
        for each in gone:
            each.unlink(missing_ok=True)
        self._drop_empty_days()
        return sum(sizes[each] for each in gone)

    def open_writer(self) -> OpenWriter:
        """Registers a writer; the entry is free again when its process ends, however it ends.

        To be called while `locked`: an entry that is not locked yet would look like a dead one.
        """
        return OpenWriter(self._open / uuid.uuid4().hex[:12])

    def lost_parts(self) -> list[dict[str, Any]]:
        """Returns what writers that were killed had not written yet, and forgets it.

        Their temporary files go too, so it is to be called while `locked`.

        Returns:
            `since` (ISO 8601) and `rows` of each.
        """
        lost = []
        for entry in sorted(self._open.iterdir()):
            with contextlib.suppress(FileNotFoundError), entry.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its writer lives
                with contextlib.suppress(ValueError):
                    lost.append(json.loads(file.read()))
                entry.unlink()
        for stale in self.path.glob(f"{_DAY}*/{_TEMPORARY}*"):
            stale.unlink(missing_ok=True)
        return lost

    def note_forgotten(self, units: Collection[str], now: datetime) -> None:
        """Tells writers to drop rows of units that they have not written yet."""
        name = self._forgotten / f"{uuid.uuid4().hex}.json"
        temporary = name.with_suffix(".tmp")
        temporary.write_text(json.dumps({"units": sorted(units), "at": now.isoformat()}))
        temporary.rename(name)

    def forgotten_units(self, now: datetime) -> dict[str, datetime]:
        """Returns units that were just forgotten, with the moment up to which rows go."""
        units: dict[str, datetime] = {}
        for file in self._forgotten.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                said = json.loads(file.read_text())
                at = datetime.fromisoformat(said["at"])
                if now - at > _FORGOTTEN_KEPT:
                    file.unlink(missing_ok=True)
                    continue
                for unit in said["units"]:
                    units[unit] = max(at, units.get(unit, at))
        return units

    def _drop_empty_days(self) -> None:
        for day in self.path.glob(f"{_DAY}*"):
            with contextlib.suppress(OSError):  # it holds parts
                day.rmdir()


class OpenWriter:
    """A writer's entry among those that live: it says what would be lost with it.

    Args:
        path: of the entry.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._file = path.open("w+")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def note(self, rows: int, since: datetime | None) -> None:
        """Says how many rows are not written yet, and since when; nothing once it is closed."""
        if self._file.closed:
            return
        self._file.seek(0)
        self._file.truncate()
        if rows and since is not None:
            json.dump({"since": since.isoformat(), "rows": rows}, self._file)
        self._file.flush()

    def close(self) -> None:
        """Leaves: nothing is open any more; a second time does nothing."""
        if not self._file.closed:
            self._path.unlink(missing_ok=True)
            self._file.close()


def replace_part(target: Path, table: Any) -> None:  # noqa: ANN401 - pyarrow has no types
    """Writes a part under a temporary name, onto the disk, and renames it."""
    import pyarrow.parquet as pq

    temporary = target.with_name(f"{_TEMPORARY}{target.name}")
    try:
        pq.write_table(table, temporary, compression="zstd")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def day_of(moment: datetime) -> date:
    """Returns the day of a moment, in UTC."""
    return moment.astimezone(UTC).date()
