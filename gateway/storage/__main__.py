"""`python -m gateway.storage`: brings the database up to date, or says where it is."""

from __future__ import annotations

import argparse
import os
import sys

from sqlalchemy.exc import SQLAlchemyError

from gateway.settings import env_name, load_settings
from gateway.start_errors import SettingsError
from gateway.storage.engine import make_engine
from gateway.storage.schema import current_revision, head_revision, upgrade

_EXIT_FAILURE = 1
_EXIT_USAGE = 2


def main() -> int:
    """Runs one command.

    Returns:
        0 when the schema is that of this release, 1 when it is not or the database cannot be used,
        2 when no database is set.
    """
    variable = env_name("database_url")
    parser = argparse.ArgumentParser(
        prog="python -m gateway.storage", description=f"Migrates the database of {variable}."
    )
    parser.add_argument(
        "command",
        choices=("upgrade", "status"),
        help="upgrade: apply the missing steps; status: say which are missing",
    )
    command = parser.parse_args().command
    try:
        database_url = load_settings(os.environ).database_url
    except SettingsError as error:
        print(error, file=sys.stderr)
        return _EXIT_USAGE
    if database_url is None:
        print(f"No database is set. Set {variable}.", file=sys.stderr)
        return _EXIT_USAGE
    engine = make_engine(database_url.get_secret_value())
    head = head_revision()
    try:
        before = upgrade(engine) if command == "upgrade" else current_revision(engine)
    except (SQLAlchemyError, OSError) as error:
        # The cause is the driver's own: SQLAlchemy's text would add the statement.
        cause = error.__cause__ or error
        print(f"The database cannot be used: {str(cause).strip()}", file=sys.stderr)
        return _EXIT_FAILURE
    finally:
        engine.dispose()
    if command == "upgrade":
        print(f"At {head}." if before == head else f"Upgraded from {before or 'empty'} to {head}.")
        return 0
    print(f"At {before or 'empty'}; this release needs {head}.")
    return 0 if before == head else _EXIT_FAILURE


if __name__ == "__main__":
    sys.exit(main())
