"""Brings a database's schema to the one of this release, and says where it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from gateway.storage.engine import WRITES, is_sqlite, make_engine

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_FOLDER: Final = Path(__file__).with_name("migrations")
UPGRADE_WAIT_S: Final = 600
"""Longest wait for another's upgrade, and for one statement of ours: a table may be large."""

LOCK_KEY: Final = 0x44495054
"""PostgreSQL's advisory lock of upgrades ("DIPT"): any number that all releases agree on."""


def head_revision() -> str:
    """Returns the revision that this release needs."""
    head = ScriptDirectory(str(_FOLDER)).get_current_head()
    assert head is not None, "the package ships its migrations"  # noqa: S101 - for the type
    return head


def current_revision(engine: Engine) -> str | None:
    """Returns the revision that a database is at; None before the first upgrade.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: it cannot be read.
    """
    with engine.connect() as connection:
        return _current(connection)


def upgrade(engine: Engine) -> str | None:
    """Applies the missing steps in one transaction. Processes that do so at once take turns.

    Returns:
        The revision before.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: it cannot be done; nothing was changed.
    """
    patient = make_engine(engine.url, UPGRADE_WAIT_S)
    try:
        with patient.connect().execution_options(**{WRITES: True}) as connection:
            return _upgrade(connection)
    finally:
        patient.dispose()


def _upgrade(connection: Connection) -> str | None:
    with connection.begin():
        if not is_sqlite(connection.engine.url):  # there, the transaction itself is the lock
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        before = _current(connection)
        if before != head_revision():
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(_FOLDER))
            command.upgrade(config, "head")
    return before


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
