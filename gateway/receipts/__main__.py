"""`python -m gateway.receipts`: makes and rotates receipt keys, and shows what a receipt says."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.errors import InvalidReceiptError
from gateway.key_files import key_id_of, write_key_file
from gateway.receipts.keys_file import (
    new_secret,
    parse_receipt_keys,
    read_receipt_keys,
)
from gateway.receipts.ring import ReceiptRing
from gateway.start_errors import ReceiptKeysFileError

_EXIT_FAILURE: Final = 1
_FOLLOWED_AFTER_S: Final = 300  # a mounted Kubernetes secret takes up to two minutes to arrive
_EPILOG: Final = """\
examples:
  python -m gateway.receipts new receipts.toml
  DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE=receipts.toml python -m gateway
  python -m gateway.receipts show receipts.toml pred_AX1…

to rotate: run `new` on the file again. Every replica reads the new key within seconds or, of a
mounted secret, minutes, and it begins to sign after that; the old one goes on verifying. Take the
old one out when feedback for what it signed is no longer taken (30 days by default). Keep
unit_secrets: without them nothing of a unit that is to be forgotten can be found.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0, or 1 when a file cannot be used or a receipt is not good.
    """
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.command == "new":
            _new(parsed.file, parsed.id, parsed.after_s)
        elif parsed.command == "check":
            _check(parsed.file)
        else:
            _show(parsed.file, parsed.prediction_id)
    except (ReceiptKeysFileError, InvalidReceiptError) as error:
        print(error, file=sys.stderr)
        return _EXIT_FAILURE
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return _EXIT_FAILURE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.receipts",
        description="Makes the keys that sign prediction ids, and reads such ids.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="make a file of keys, or add a key to one")
    new.add_argument("file", type=Path)
    new.add_argument("--id", type=key_id_of, help="name of the key; the moment by default")
    new.add_argument(
        "--after-s",
        type=float,
        default=_FOLLOWED_AFTER_S,
        help="seconds until a key that is added begins to sign (default: %(default)s)",
    )
    check = commands.add_parser("check", help="say what a file lists, or what is wrong with it")
    check.add_argument("file", type=Path)
    show = commands.add_parser("show", help="check a prediction id and say what it holds")
    show.add_argument("file", type=Path)
    show.add_argument("prediction_id")
    return parser


def _new(file: Path, key_id: str | None, after_s: float) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    lines = ["[[key]]", f'id = "{key_id or f"{now:%Y%m%d-%H%M%S}"}"', f'secret = "{new_secret()}"']
    if file.exists():
        signs_from = now + timedelta(seconds=after_s)
        lines.append(f"signs_from = {signs_from.isoformat()}")
        content = file.read_text() + "\n"
        said = f"Added a key to {file}; it signs from {signs_from.isoformat()} on."
    else:
        content = f'unit_secrets = ["{new_secret()}"]\n\n'
        said = f"Made {file}. It is a secret: who has it can forge predictions."
    content += "\n".join(lines) + "\n"
    # Read as the gateway will: what it would refuse is not written.
    parse_receipt_keys(content.encode(), file)
    write_key_file(file, content.encode())
    print(said)


def _check(file: Path) -> None:
    keys = read_receipt_keys(file)
    now = datetime.now(UTC)
    for each in keys.keys:
        is_due = each.signs_from > now
        print(f"{each.id}: {'signs from ' + each.signs_from.isoformat() if is_due else 'good'}")
    print(f"{file} can be used: {len(keys.keys)} keys, {len(keys.unit_secrets)} unit secrets.")


def _show(file: Path, prediction_id: str) -> None:
    signed = ReceiptRing(read_receipt_keys(file)).verify(prediction_id)
    for name, value in asdict(signed.receipt).items():
        if name != "nonce":
            print(f"{name}: {value}")


if __name__ == "__main__":
    sys.exit(main())
