"""`python -m deploy.helm`: `document` writes what is made, `check` runs all static checks.

Exit codes: 0 done, 1 something was found or a tool cannot be had, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys

from deploy.helm.bundle import write_copies
from deploy.helm.documents import write_documents
from deploy.helm.scanning import ScanError
from deploy.tools.errors import ToolError


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.helm", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("document", help="write values.schema.json, README tables and copies")
    commands.add_parser("check", help="run all static checks of the chart")
    arguments = parser.parse_args()
    if arguments.command == "document":
        for path in (*write_documents(), *write_copies()):
            print(path)
        return 0
    try:
        return _check()
    except (ToolError, ScanError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _check() -> int:
    # Loads the schemas' packages, which `document` does without.
    from deploy.helm.checking import run_checks

    found = run_checks(lambda line: print(line, flush=True))
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
