from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyarrow.parquet import ParquetFile
from sqlalchemy import select

from gateway.capture.folder import CaptureFolder
from gateway.capture.writer import to_table
from gateway.feedback import __main__ as command
from gateway.feedback.outcome_queries import read_outcomes
from gateway.feedback.outcomes import OutcomeFilter
from gateway.feedback.store import record
from gateway.receipts.keys_file import new_secret, read_receipt_keys
from gateway.receipts.ring import ReceiptRing
from gateway.storage.tables import AuditEntry, FeedbackHistory
from tests.gateway.capture.rows import make_row
from tests.gateway.feedback.entries import entry, signed
from tests.gateway.receipts.receipts import NOW, write_keys

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gateway.storage.database import Database

pytestmark = pytest.mark.anyio

SECRET_LABEL = "a-label-that-nobody-may-find"


@pytest.fixture
def keys_file(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of keys; the environment is the gateway's."""
    path = write_keys(tmp_path)
    monkeypatch.setenv("DIPTYCH_GATEWAY_DATABASE_URL", database_url)
    monkeypatch.setenv("DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE", str(path))
    return path


def add_unit_secret(keys_file: Path) -> None:
    """Adds a secret; what the old one hashed is to be found all the same."""
    text = keys_file.read_text()
    keys_file.write_text(text.replace("unit_secrets = [", f'unit_secrets = ["{new_secret()}", '))


async def test_forget_deletes_all_of_a_unit_and_nothing_else(
    database: Database,
    database_url: str,
    keys_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ring = ReceiptRing(read_receipt_keys(keys_file))
    before = ring.unit_hash("user-1")
    add_unit_secret(keys_file)
    after = ReceiptRing(read_receipt_keys(keys_file)).unit_hash("user-1")
    mine = [signed("food", unit=unit) for unit in (before, after)]
    others = [signed("food", unit=ring.unit_hash("user-2")), signed("food", unit=None)]
    entries = [
        *[entry(each, "food") for each in (*mine, *others)],
        entry(mine[0], SECRET_LABEL, after_s=90),
    ]
    await database.write(lambda session: record(session, entries, NOW))

    monkeypatch.setattr("sys.stdin", io.StringIO("user-1\n"))
    assert command.main(["forget", "--unit", "-"]) == 0
    assert capsys.readouterr().out == "2 labels deleted\n1 superseded labels deleted\n"

    def read(session: Session) -> tuple[set[str], int, AuditEntry]:
        left = read_outcomes(session, OutcomeFilter(), limit=9)
        history = session.scalars(select(FeedbackHistory)).all()
        (audited,) = session.scalars(select(AuditEntry)).all()
        return {each.prediction_key for each in left}, len(history), audited

    left, history, audited = await database.read(read)
    assert left == {each.key for each in others}
    assert history == 0
    assert (audited.action, audited.after) == ("unit.forget", {"labels": 2, "superseded_labels": 1})
    assert "user-1" not in f"{audited.target}{audited.before}{audited.request_id}"
    if database_url.startswith("sqlite"):
        folder = Path(database_url.removeprefix("sqlite:///")).parent
        written = b"".join(each.read_bytes() for each in folder.iterdir())
        assert SECRET_LABEL.encode() not in written
        assert (before or "").encode() not in written


async def test_forget_tells_what_else_keeps_something_of_units(
    database: Database,
    keys_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    class Files:
        kind = "captured_rows"

        def forget(self, unit_hashes: tuple[str, ...]) -> int:
            asked.append(unit_hashes)
            return 7

    monkeypatch.setattr(command, "_others", lambda _: (Files(),))
    assert command.main(["forget", "--unit", "user-1"]) == 0
    assert asked == [ReceiptRing(read_receipt_keys(keys_file)).unit_hashes("user-1")]
    assert "7 captured rows deleted" in capsys.readouterr().out


async def test_forget_deletes_captured_answers_of_a_unit_whatever_secret_named_it(
    database: Database,
    keys_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = ReceiptRing(read_receipt_keys(keys_file)).unit_hash("user-1")
    add_unit_secret(keys_file)
    ring = ReceiptRing(read_receipt_keys(keys_file))
    units = [before, ring.unit_hash("user-1"), ring.unit_hash("user-2"), None]
    folder = CaptureFolder(tmp_path / "captured")
    rows = [make_row(number, unit=unit) for number, unit in enumerate(units)]
    folder.write_part(NOW.date(), "w", 0, to_table(rows))
    monkeypatch.setenv("DIPTYCH_GATEWAY_CAPTURE_FOLDER", str(folder.path))

    assert command.main(["forget", "--unit", "user-1"]) == 0

    assert "2 captured rows deleted" in capsys.readouterr().out
    [part] = folder.parts()
    assert ParquetFile(part).read()["unit"].to_pylist() == units[2:]
    assert (before or "").encode() not in part.read_bytes()


def test_forget_without_settings_names_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["forget", "--unit", "user-1"]) == 2
    said = capsys.readouterr().err
    assert "DIPTYCH_GATEWAY_DATABASE_URL and DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE" in said
