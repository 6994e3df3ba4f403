"""`python -m gateway.feedback`: deletes everything about a unit key."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import TrafficPlanError
from gateway.feedback.forget import forget
from gateway.receipts.keys_file import read_receipt_keys
from gateway.receipts.ring import ReceiptRing
from gateway.settings import env_name, load_settings
from gateway.start_errors import ReceiptKeysFileError, SettingsError
from gateway.storage.engine import make_engine
from gateway.traffic.file import parse_file, read_bytes
from gateway.traffic.forget import named_in_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.feedback.forget import Forgettable
    from gateway.settings import Settings

_EXIT_FAILURE: Final = 1
_EXIT_USAGE: Final = 2


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0, also where there was nothing to delete; 1 when the database or a file cannot be used, or
        the experiments file still names the unit; 2 when a setting is missing.
    """
    parsed = _parser().parse_args(arguments)
    unit = sys.stdin.readline().rstrip("\n") if parsed.unit == "-" else parsed.unit
    try:
        settings = load_settings(os.environ)
        if settings.database_url is None or settings.receipt_keys_file is None:
            missing = [
                env_name(name)
                for name in ("database_url", "receipt_keys_file")
                if getattr(settings, name) is None
            ]
            print(f"Set {' and '.join(missing)}, as the gateway has it.", file=sys.stderr)
            return _EXIT_USAGE
        hashes = ReceiptRing(read_receipt_keys(settings.receipt_keys_file)).unit_hashes(unit)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return _EXIT_USAGE
    except ReceiptKeysFileError as error:
        print(error, file=sys.stderr)
        return _EXIT_FAILURE
    if not hashes:
        print(
            f"{settings.receipt_keys_file} has no unit_secrets, so nothing that is stored names a "
            "unit.",
            file=sys.stderr,
        )
        return _EXIT_FAILURE
    engine = make_engine(settings.database_url.get_secret_value())
    try:
        done = forget(
            engine, unit, hashes, _others(settings), actor=getpass.getuser(), now=datetime.now(UTC)
        )
    except (SQLAlchemyError, OSError) as error:
        # The cause is the driver's own: SQLAlchemy's text would add the statement.
        what = "capture" if isinstance(error, OSError) else "database"
        print(f"The {what} cannot be used: {error.__cause__ or error}", file=sys.stderr)
        return _EXIT_FAILURE
    finally:
        engine.dispose()
    for kind, count in done.counts.items():
        print(f"{count} {kind.replace('_', ' ')} deleted")
    return _told_of_file(settings.experiments_file, unit)


def _told_of_file(path: Path | None, unit: str) -> int:
    """Says where the experiments file names the unit; it is not ours to change."""
    if path is None:
        return 0
    try:
        found = named_in_file(parse_file(read_bytes(path)), unit)
    except TrafficPlanError as error:
        print(f"{path} was not looked at: {error}", file=sys.stderr)
        return _EXIT_FAILURE
    if found:
        print(
            f"{path} names it in the overrides of {', '.join(found)}: take it out there.",
            file=sys.stderr,
        )
    return _EXIT_FAILURE if found else 0


def _others(settings: Settings) -> Sequence[Forgettable]:
    """Returns what keeps something of units beside the database."""
    if settings.capture_folder is None:
        return ()
    # Loaded where it is used: it needs pyarrow, which not every gateway has.
    from gateway.capture.forget import CapturedRows

    return (CapturedRows(settings.capture_folder),)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.feedback",
        description="Deletes what is stored of a unit: labels given for its predictions, their "
        "history, captured answers, and overrides of experiments. Reads the settings of the "
        "gateway from the environment.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("forget", help="delete everything about a unit key")
    command.add_argument(
        "--unit",
        required=True,
        help="the unit key, as the requests had it; - reads it from standard input, where other "
        "users of this machine do not see it",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
