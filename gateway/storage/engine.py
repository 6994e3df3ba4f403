"""Makes the SQLAlchemy engine of a database URL: SQLite for one replica, PostgreSQL for several.

Every wait has an end: a database that is frozen or unreachable must cost a worker thread seconds,
not for ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.pool import NullPool, QueuePool

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy.engine import URL, Connection, Engine

POOL_SIZE: Final = 4
WAIT_S: Final = 3
"""Longest wait for a connection, a lock or a statement, in seconds."""

WRITES: Final = "diptych_writes"
"""Execution option of a connection whose transaction will write."""


def is_sqlite(url: URL) -> bool:
    """Whether a database is a file of one machine."""
    return url.get_backend_name() == "sqlite"


def make_engine(database_url: str | URL, wait_s: int = WAIT_S) -> Engine:
    """Makes an engine. Nothing is connected yet.

    Args:
        database_url: `sqlite:///path` or `postgresql://user:password@host/name`.
        wait_s: longest wait for a lock or a statement, in seconds. A server that cannot be reached
            is given up after `WAIT_S`.
    """
    url = make_url(database_url)
    return _sqlite_engine(url, wait_s) if is_sqlite(url) else _postgresql_engine(url, wait_s)


def _sqlite_engine(url: URL, wait_s: int) -> Engine:
    # No pool: a connection to a file is cheap, and one kept open would go on writing to a file that
    # was deleted and made anew.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": wait_s})

    @event.listens_for(engine, "do_connect")
    def make_folder(*_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: Any) -> None:  # noqa: ANN401
        # The module must not begin transactions by itself: it would leave DDL outside of them.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")  # readers and the writer do not wait
        connection.execute("PRAGMA synchronous=FULL")  # committed is on the disk
        connection.execute("PRAGMA foreign_keys=ON")
        # What a change replaces is not left behind within its page.
        connection.execute("PRAGMA secure_delete=FAST")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes would fail at once when another wrote in
        # between, without waiting; IMMEDIATE waits at its beginning.
        is_writer = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine


def _postgresql_engine(url: URL, wait_s: int) -> Engine:
    wait_ms = 1000 * wait_s
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=WAIT_S,
        pool_pre_ping=True,  # a server that was restarted is not noticed otherwise
        connect_args={
            "connect_timeout": WAIT_S,
            "tcp_user_timeout": 1000 * WAIT_S,
            "application_name": "diptych-gateway",
            "options": f"-c statement_timeout={wait_ms} -c lock_timeout={wait_ms}",
        },
    )
