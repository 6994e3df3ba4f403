"""`python -m tests.browser`: makes sure that there is a Chromium; `make browser` calls it."""

from __future__ import annotations

import sys

from tests.browser.chromium import VERSION, NoChromiumError, fetch, find


def main() -> int:
    """Fetches one where the machine has none."""
    try:
        find()
    except NoChromiumError:
        print(f"Fetching Chromium {VERSION} for the tests of the pages (70 MB).", flush=True)
        try:
            fetch()
        except NoChromiumError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
