"""Entry point of `python -m loadtest.balance`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line, or says which package is missing for that."""
    try:
        from loadtest.balance.cli import app
    except ModuleNotFoundError as error:
        sys.exit(f"Package {error.name} is missing from this environment: run `make venv`.")
    app(prog_name="python -m loadtest.balance")


if __name__ == "__main__":
    main()
