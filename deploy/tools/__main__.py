"""`python -m deploy.tools [NAME…]`: fetches tools, without a name all, and prints where they are.

Exit codes: 0 they are there, 1 one cannot be had, 2 one is not known.
"""

from __future__ import annotations

import argparse
import sys

from deploy.tools.catalog import TOOLS
from deploy.tools.errors import FetchError, UnknownToolError
from deploy.tools.install import program


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.tools", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TOOLS))
    for name in parser.parse_args().names or TOOLS:
        try:
            print(f"{name:<12} {program(name)}", flush=True)
        except UnknownToolError as error:
            print(error, file=sys.stderr)
            return 2
        except FetchError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
