"""`python -m deploy.compose`: makes the secrets of docker-compose.yml that are missing.

Nothing that exists is touched. API keys are made by the gateway's own command; only their hashes
are in the file that it reads.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
NOWHERE: Final = "http://localhost:9/"
"""Where alerts go until an operator says where: nobody listens there."""

_CALLERS: Final = {"operator": ("classify", "feedback", "admin"), "load": ("classify",)}


def make_secrets(folder: Path, env_file: Path, say: Callable[[str], None] = print) -> None:
    """Writes what is missing.

    Args:
        folder: where secrets lie, one file each; only its owner may enter it.
        env_file: of compose; it gets the database's password.
        say: is told what was made, and the operator's key once.

    Raises:
        subprocess.CalledProcessError: a command of the gateway failed; it has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    keys = folder / "api_keys.toml"
    if not keys.exists():
        made = {caller: _new_key(keys, caller, scopes) for caller, scopes in _CALLERS.items()}
        _write(folder / "load_key", made["load"])
        say(f"Key of the operator, shown once: {made['operator']}")
    receipts = folder / "receipt_keys.toml"
    if not receipts.exists():
        _gateway("receipts", "new", str(receipts))
    for name, content in (
        ("grafana_password", secrets.token_urlsafe(24)),
        ("alert_page_url", NOWHERE),
        ("alert_ticket_url", NOWHERE),
    ):
        if not (folder / name).exists():
            _write(folder / name, content)
    for each in folder.iterdir():
        # Containers read them as users of their own; the folder keeps others of this machine out.
        each.chmod(0o444)
    variable = "DIPTYCH_POSTGRES_PASSWORD"
    lines = env_file.read_text(encoding="utf-8").splitlines() if env_file.exists() else []
    if not any(line.startswith(f"{variable}=") for line in lines):
        lines.append(f"{variable}={secrets.token_urlsafe(24)}")
        _write(env_file, "\n".join(lines), mode=0o600)
    say(f"Secrets are in {folder} and {env_file}; alert_page_url and alert_ticket_url are yours.")


def _new_key(keys: Path, caller: str, scopes: tuple[str, ...]) -> str:
    options = [each for scope in scopes for each in ("--scope", scope)]
    return _gateway("keys", "new", "--id", caller, *options, "--file", str(keys)).split()[-1]


def _gateway(module: str, *arguments: str) -> str:
    command = (sys.executable, "-m", f"gateway.{module}", *arguments)
    return subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def _write(path: Path, content: str, mode: int = 0o444) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(f"{content}\n", encoding="utf-8")
    fresh.chmod(mode)
    fresh.replace(path)


def main() -> None:
    """Reads the command line, which takes nothing but --help, and makes them."""
    argparse.ArgumentParser(prog="python -m deploy.compose", description=__doc__).parse_args()
    make_secrets(ROOT / "deploy" / "compose" / "secrets", ROOT / ".env")


if __name__ == "__main__":
    main()
