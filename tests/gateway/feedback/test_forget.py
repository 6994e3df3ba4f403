from __future__ import annotations

import io
import json
from datetime import timedelta
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
from gateway.routing.definitions import ExperimentDefinition
from gateway.storage.tables import AuditEntry, FeedbackHistory
from gateway.traffic.audit import Actor
from gateway.traffic.file import EMPTY_FILE
from gateway.traffic.ledger import Ledger
from gateway.traffic.stored import read_revision, read_stored
from tests.gateway.capture.rows import make_row
from tests.gateway.feedback.entries import entry, signed
from tests.gateway.receipts.receipts import NOW, write_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from gateway.storage.database import Database

pytestmark = pytest.mark.anyio

SECRET_LABEL = "a-label-that-nobody-may-find"
SECRET_IMAGE = bytes(range(200, 250))


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
    assert capsys.readouterr().out.splitlines() == [
        "2 labels deleted",
        "1 superseded labels deleted",
        "0 overrides and audited overrides deleted",
    ]

    def read(session: Session) -> tuple[set[str], int, AuditEntry]:
        left = read_outcomes(session, OutcomeFilter(), limit=9)
        history = session.scalars(select(FeedbackHistory)).all()
        (audited,) = session.scalars(select(AuditEntry)).all()
        return {each.prediction_key for each in left}, len(history), audited

    left, history, audited = await database.read(read)
    assert left == {each.key for each in others}
    assert history == 0
    assert audited.action == "unit.forget"
    assert audited.after == {
        "labels": 2,
        "superseded_labels": 1,
        "overrides_and_audited_overrides": 0,
    }
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
    after = ring.unit_hash("user-1")
    others = [ring.unit_hash("user-2"), None]
    folder = CaptureFolder(tmp_path / "captured")
    # Its image and text were kept, too; of two writers and two days.
    payload = {"image": SECRET_IMAGE, "text": SECRET_LABEL}
    mine = [make_row(number, unit=unit, **payload) for number, unit in enumerate((before, after))]
    rest = [make_row(2 + number, unit=unit) for number, unit in enumerate(others)]
    folder.write_part(NOW.date(), "w", 0, to_table([*mine, *rest]))
    folder.write_part(NOW.date() - timedelta(days=1), "v", 0, to_table(mine))
    monkeypatch.setenv("DIPTYCH_GATEWAY_CAPTURE_FOLDER", str(folder.path))

    assert command.main(["forget", "--unit", "user-1"]) == 0

    assert "4 captured rows deleted" in capsys.readouterr().out
    [part] = folder.parts()
    assert ParquetFile(part).read()["unit"].to_pylist() == others
    parts = b"".join(each.read_bytes() for each in folder.path.rglob("*.parquet"))
    for secret in (before, after, SECRET_LABEL):
        assert secret is not None
        assert secret.encode() not in parts
    assert SECRET_IMAGE not in parts


async def test_forget_takes_a_unit_out_of_overrides_and_of_what_the_audit_says_of_them(
    database: Database,
    database_url: str,
    keys_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def put(*units: str) -> Callable[[Session], None]:
        overrides = {"units": dict.fromkeys(units, "b")}
        arms = {"a": {"weight": 1}, "b": {"weight": 1}}
        body = {"name": "x", "control": "a", "arms": arms, "overrides": overrides}
        definition = ExperimentDefinition.model_validate(body)

        def work(session: Session) -> None:
            Ledger(session, EMPTY_FILE, Actor("ops", "r"), NOW).put(definition, "put")

        return work

    await database.write(put("user-1", "user-2"))
    await database.write(put("user-1"))
    await database.write(put("user-1", "user-3"))
    before = await database.read(read_revision)

    assert command.main(["forget", "--unit", "user-1"]) == 0

    # The rule, and what was put each of three times.
    assert "4 overrides and audited overrides deleted" in capsys.readouterr().out

    def read(session: Session) -> tuple[int, list[object], str]:
        rules = read_stored(session).rules.values()
        audit = session.scalars(select(AuditEntry)).all()
        said = json.dumps([[each.before, each.after] for each in audit])
        return read_revision(session), [each.definition for each in rules], said

    revision, [rule], said = await database.read(read)
    assert revision == before + 1  # replicas hear of it
    assert isinstance(rule, ExperimentDefinition)
    assert rule.overrides.units == {"user-3": "b"}
    assert "user-1" not in said
    assert "user-2" in said
    if database_url.startswith("sqlite"):
        folder = Path(database_url.removeprefix("sqlite:///")).parent
        assert b"user-1" not in b"".join(each.read_bytes() for each in folder.iterdir())

    file = tmp_path / "experiments.toml"
    file.write_text(
        '[[experiments]]\nname = "y"\ncontrol = "a"\noverrides.units = {"user-1" = "a"}\n'
        "arms = {a = {weight = 1}, b = {weight = 1}}\n"
    )
    monkeypatch.setenv("DIPTYCH_GATEWAY_EXPERIMENTS_FILE", str(file))
    assert command.main(["forget", "--unit", "user-1"]) == 1
    assert "names it in the overrides of y: take it out there" in capsys.readouterr().err


def test_forget_without_settings_names_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["forget", "--unit", "user-1"]) == 2
    said = capsys.readouterr().err
    assert "DIPTYCH_GATEWAY_DATABASE_URL and DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE" in said
