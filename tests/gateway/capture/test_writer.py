from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry

from gateway.capture import writer as writer_module
from gateway.capture.folder import CaptureFolder, FolderBounds
from gateway.capture.forget import forget_units
from gateway.capture.writer import CaptureWriter
from gateway.contract.capture import SCHEMA_VERSION, VERSION_KEY, CapturedRow, arrow_schema
from gateway.telemetry.capture_metrics import CaptureMetrics
from tests.gateway.capture.rows import NOON, make_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_BOUNDS = FolderBounds(max_bytes=10**9, max_days=30)


_OPENED: list[Opened] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _OPENED:
        _OPENED.pop().writer.close()


class Opened:
    """A writer with a clock that a test moves; the fixture above closes it."""

    def __init__(self, path: Path, bounds: FolderBounds = _BOUNDS) -> None:
        self.registry = CollectorRegistry()
        self.now = NOON
        self.folder = CaptureFolder(path)
        self.writer = CaptureWriter(
            self.folder, bounds, 60.0, CaptureMetrics(self.registry), lambda: self.now
        )
        _OPENED.append(self)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        pyarrow.dataset.dataset(path, partitioning="hive", exclude_invalid_files=False)
        .to_table()
        .to_pylist()
    )
    return sorted(rows, key=lambda row: row["prediction_id"])


def test_columns_of_the_row_are_those_of_the_schema() -> None:
    assert [each.name for each in dataclasses.fields(CapturedRow)] == arrow_schema().names


def test_row_comes_back_as_it_was_with_features_in_half_precision(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.writer.add(make_row(1, unit="u1", text="häuser", image=b"\0png"))

    opened.writer.flush()

    [row] = read(tmp_path)
    assert row["image_features"][:2] == [1.0, -2.5]
    assert row["image_features"][2] == np.finfo(np.float16).max  # what did not fit
    assert (row["text"], row["image"], row["unit"]) == ("häuser", b"\0png", "u1")
    assert row["predicted_at"] == NOON
    assert (row["sampling_weight"], row["reasons"]) == (20.0, ["uniform"])
    [part] = opened.folder.parts()
    assert part.parent.name == "day=2026-03-01"
    assert pq.read_schema(part).metadata[VERSION_KEY] == str(SCHEMA_VERSION).encode()


def test_rows_wait_until_they_are_old_and_each_goes_to_its_day(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.writer.add(make_row(1))
    opened.writer.add(make_row(2, predicted_at=NOON + timedelta(days=1)))
    opened.now += timedelta(seconds=59)
    opened.writer.tick()
    assert opened.folder.parts() == []

    opened.now += timedelta(seconds=1)
    opened.writer.tick()

    assert [each.parent.name for each in opened.folder.parts()] == [
        "day=2026-03-01",
        "day=2026-03-02",
    ]
    assert opened.value("diptych_capture_rows_total", outcome="written") == 2


def test_full_part_is_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "PART_ROWS", 3)
    opened = Opened(tmp_path)

    for number in range(7):
        opened.writer.add(make_row(number))

    assert len(read(tmp_path)) == 6
    opened.writer.close()
    assert len(read(tmp_path)) == 7
    assert list((tmp_path / ".open").iterdir()) == []


def test_writers_beside_each_other_own_their_parts(tmp_path: Path) -> None:
    one, other = Opened(tmp_path), Opened(tmp_path)
    one.writer.add(make_row(1))
    other.writer.add(make_row(2))

    one.writer.close()
    other.writer.close()

    assert len(read(tmp_path)) == 2
    assert one.value("diptych_capture_lost_parts_total") == 0
    assert other.value("diptych_capture_lost_parts_total") == 0


def test_oldest_day_goes_first_and_the_last_day_part_by_part(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    days = [date(2026, 3, day) for day in (1, 2, 3)]
    table = writer_module.to_table([make_row(1)])
    for day in days:
        for number in range(2):
            opened.folder.write_part(day, "w", number, table)
    part_bytes = opened.folder.parts()[0].stat().st_size

    removed = opened.folder.trim(FolderBounds(5 * part_bytes, 30), days[-1])

    assert removed == 2 * part_bytes
    assert [each.parent.name[-2:] for each in opened.folder.parts()] == ["02", "02", "03", "03"]
    opened.folder.trim(FolderBounds(part_bytes, 30), days[-1])
    assert [each.name for each in opened.folder.parts()] == ["part-w-000001.parquet"]


def test_days_that_are_too_old_go(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    table = writer_module.to_table([make_row(1)])
    for day in (1, 2, 3):
        opened.folder.write_part(date(2026, 3, day), "w", 0, table)

    opened.folder.trim(FolderBounds(10**9, 2), date(2026, 3, 3))

    assert sorted(each.name for each in tmp_path.glob("day=*")) == [
        "day=2026-03-02",
        "day=2026-03-03",
    ]


def test_disk_that_refuses_loses_rows_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(tmp_path)
    (tmp_path / "day=2026-03-01").write_text("in the way")
    opened.writer.add(make_row(1))

    opened.writer.flush()

    assert opened.value("diptych_capture_rows_total", outcome="disk_failed") == 1
    (tmp_path / "day=2026-03-01").unlink()
    opened.writer.add(make_row(2))
    opened.writer.flush()
    assert [row["prediction_id"] for row in read(tmp_path)] == ["pred_2"]


_KILLED = """
import sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from gateway.capture.folder import CaptureFolder, FolderBounds
from gateway.capture.writer import CaptureWriter
from gateway.telemetry.capture_metrics import CaptureMetrics
from tests.gateway.capture.rows import make_row
folder, bounds = CaptureFolder(Path(sys.argv[1])), FolderBounds(10**9, 10_000)
writer = CaptureWriter(folder, bounds, 600.0, CaptureMetrics(CollectorRegistry()))
writer.add(make_row(1))
writer.flush()
writer.add(make_row(2))
writer.add(make_row(3))
print("open", flush=True)
sys.stdin.read()
"""


def test_killed_writer_loses_its_open_part_alone_and_the_next_one_says_so(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        alive = CaptureFolder(tmp_path).lost_parts()
        os.kill(process.pid, signal.SIGKILL)

    opened = Opened(tmp_path, FolderBounds(10**9, 10_000))

    assert alive == []
    assert opened.value("diptych_capture_lost_parts_total") == 1
    assert [row["prediction_id"] for row in read(tmp_path)] == ["pred_1"]
    assert CaptureFolder(tmp_path).lost_parts() == []


def test_forgotten_units_are_gone_from_parts_and_from_what_is_not_written_yet(
    tmp_path: Path,
) -> None:
    opened = Opened(tmp_path)
    for number, unit in enumerate(["u1", "u2", None, "u1"]):
        opened.writer.add(make_row(number, unit=unit))
    opened.writer.flush()
    opened.writer.add(make_row(4, unit="u1"))
    opened.writer.flush()  # a part of nothing else
    opened.writer.add(make_row(5, unit="u1"))
    opened.writer.add(make_row(6, unit="u2"))

    gone = forget_units(tmp_path, {"u1", "other"}, NOON)

    assert (gone.rows, gone.parts) == (3, 2)
    opened.writer.add(make_row(7, unit="u1", predicted_at=NOON + timedelta(seconds=1)))
    opened.writer.close()
    found = {row["prediction_id"]: row["unit"] for row in read(tmp_path)}
    assert found == {"pred_1": "u2", "pred_2": None, "pred_6": "u2", "pred_7": "u1"}
    assert opened.value("diptych_capture_rows_total", outcome="forgotten") == 1
    # The hashes of who was forgotten do not stay either.
    assert CaptureFolder(tmp_path).forgotten_units(NOON + timedelta(hours=2)) == {}
    assert list((tmp_path / ".forgotten").iterdir()) == []


def test_part_without_the_unit_is_not_written_anew(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.writer.add(make_row(1, unit="u2"))
    opened.writer.flush()
    [part] = opened.folder.parts()
    before = part.stat().st_ino

    gone = forget_units(tmp_path, {"u1"}, datetime.now(UTC))

    assert gone.rows == 0
    assert part.stat().st_ino == before
