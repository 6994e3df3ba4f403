from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

import gateway.storage.ramp_tables
import gateway.storage.tables  # noqa: F401 - declares them
from gateway.storage.base import Base
from gateway.storage.engine import WRITES, is_sqlite, make_engine
from gateway.storage.schema import LOCK_KEY, current_revision, head_revision, upgrade

if TYPE_CHECKING:
    from pathlib import Path


def test_upgrade_makes_exactly_the_declared_tables(database_url: str) -> None:
    engine = make_engine(database_url)
    assert upgrade(engine) is None
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_upgrade_several_at_once_applies_each_step_once(database_url: str) -> None:
    def run() -> str | None:
        engine = make_engine(database_url)
        try:
            return upgrade(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as threads:
        before = [each.result() for each in [threads.submit(run) for _ in range(4)]]
    assert sorted(before, key=str) == [*[head_revision()] * 3, None]


def test_upgrade_waits_for_another_longer_than_requests_do(database_url: str) -> None:
    impatient = make_engine(database_url, wait_s=1)
    with ThreadPoolExecutor(1) as threads:
        with impatient.connect().execution_options(**{WRITES: True}) as other, other.begin():
            if not is_sqlite(impatient.url):
                other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            upgrading = threads.submit(upgrade, impatient)
            time.sleep(1.5)
            assert not upgrading.done()
        assert upgrading.result() is None
    impatient.dispose()


def test_upgrade_that_fails_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(database_url)
    monkeypatch.setattr("alembic.op.create_index", _fail)
    with pytest.raises(RuntimeError, match="broken step"):
        upgrade(engine)
    assert inspect(engine).get_table_names() == []
    assert current_revision(engine) is None
    engine.dispose()


def _fail(*_: object) -> None:
    raise RuntimeError("broken step")


@pytest.mark.parametrize(
    ("commands", "code", "said"),
    [
        (["status"], 1, "At empty; this release needs"),
        (["upgrade"], 0, "Upgraded from empty to"),
    ],
)
def test_command_line_says_what_it_did(
    tmp_path: Path, commands: list[str], code: int, said: str
) -> None:
    done = run_command(commands, f"sqlite:///{tmp_path / 'd.sqlite3'}")
    assert (done.returncode, done.stderr) == (code, "")
    assert said in done.stdout


def test_command_line_unreachable_database_is_one_line_without_the_password() -> None:
    done = run_command(["upgrade"], "postgresql://someone:secret@127.0.0.1:9/none")
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def run_command(commands: list[str], url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.storage", *commands],
        env={**os.environ, "DIPTYCH_GATEWAY_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
