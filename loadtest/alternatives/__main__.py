"""Entry point of `python -m loadtest.alternatives`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line, or says which package is missing for that."""
    try:
        from loadtest.alternatives.cli import app
    except ModuleNotFoundError as error:
        sys.exit(f"Package {error.name} is missing from this environment: run `make venv`.")
    app(prog_name="python -m loadtest.alternatives")


if __name__ == "__main__":
    main()
