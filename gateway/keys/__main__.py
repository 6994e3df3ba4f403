"""`python -m gateway.keys`: new keys are shown once, and only their hash is written anywhere."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.identity.api_key import digest_of, new_key
from gateway.identity.keys_file import parse_keys, read_keys
from gateway.identity.principal import Scope
from gateway.key_files import key_id_of, write_key_file
from gateway.start_errors import KeysFileError

_EXIT_FAILURE: Final = 1
_EPILOG: Final = """\
examples:
  python -m gateway.keys new --id shop --scope classify --file keys.toml
  python -m gateway.keys new --id ops --scope admin --scope classify --not-after 2027-06-30
  python -m gateway.keys check keys.toml

to replace a key without a pause:
  1. make one of the same id, without --file: it prints the key and its hash
  2. put the hash beside the old one: sha256 = ["OLD", "NEW"]; both are good a second later
  3. give the caller the new key; when it is in use, take the old hash out
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0, or 1 when a file cannot be used.
    """
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.command == "check":
            _check(parsed.file)
        else:
            _new(parsed)
    except KeysFileError as error:
        print(error, file=sys.stderr)
        return _EXIT_FAILURE
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return _EXIT_FAILURE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.keys",
        description="Makes API keys, and checks the file that lists their hashes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="make a key; it is shown once")
    new.add_argument("--id", required=True, type=key_id_of, help="name of the caller; not secret")
    new.add_argument(
        "--scope",
        dest="scopes",
        required=True,
        action="append",
        choices=[each.value for each in Scope],
        help="what the key allows; may be given several times",
    )
    new.add_argument("--rate-rps", type=float, help="requests a second in the long run")
    new.add_argument("--burst", type=float, help="requests at once after a pause; twice the rate")
    new.add_argument("--weight", type=float, help="part of the places relative to others; 1")
    new.add_argument("--not-after", type=_moment, help="when it expires, as 2027-06-30 (UTC)")
    new.add_argument("--file", type=Path, help="add it to this file, and print the key alone")
    check = commands.add_parser("check", help="say what a file lists, or what is wrong with it")
    check.add_argument("file", type=Path)
    return parser


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2027-06-30") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _new(parsed: argparse.Namespace) -> None:
    key = new_key(parsed.id)
    entry = _entry(parsed, digest_of(key))
    file: Path | None = parsed.file
    old = file.read_bytes() if file is not None and file.exists() else b""
    # Read as the gateway will: what it would refuse is not written.
    content = old + (b"\n" if old else b"") + entry.encode()
    parse_keys(content, file or Path("new key"), is_exposed=False)
    if file is not None:
        write_key_file(file, content)
        print(f"Added {parsed.id} to {file}. The key is shown this once:", file=sys.stderr)
        print(key)
        return
    print(f"The key, which is shown this once:\n\n{key}\n\nIts entry for the keys file:\n\n{entry}")


def _entry(parsed: argparse.Namespace, digest: str) -> str:
    scopes = ", ".join(f'"{each}"' for each in sorted(set(parsed.scopes)))
    lines = ["[[key]]", f'id = "{parsed.id}"', f'sha256 = ["{digest}"]', f"scopes = [{scopes}]"]
    lines += [
        f"{name} = {value:g}"
        for name in ("rate_rps", "burst", "weight")
        if (value := getattr(parsed, name)) is not None
    ]
    if parsed.not_after is not None:
        lines.append(f"not_after = {parsed.not_after.isoformat()}")
    return "\n".join(lines) + "\n"


def _check(path: Path) -> None:
    keys = read_keys(path, is_exposed=False)
    now = datetime.now(UTC)
    for key_id, record in sorted(keys.records.items()):
        words = [", ".join(sorted(record.principal.scopes))]
        if record.principal.rate_limit is not None:
            words.append(f"{record.principal.rate_limit.rate_rps:g} requests/s")
        if len(record.digests) > 1:
            words.append(f"{len(record.digests)} hashes: being replaced")
        if record.not_after is not None:
            verb = "expired" if record.not_after < now else "expires"
            words.append(f"{verb} {record.not_after.isoformat()}")
        print(f"{key_id}: {'; '.join(words)}")
    if keys.anonymous_scopes:
        print(f"without a key, on loopback: {', '.join(sorted(keys.anonymous_scopes))}")
    print(f"{path} can be used: {len(keys.records)} keys.")


if __name__ == "__main__":
    sys.exit(main())
