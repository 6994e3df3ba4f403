"""`make conformance`: compares every family and writes the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from exporters.atomic import atomic_file
from tests.conformance.cases import EVERY_CASE, THIRDS, third
from tests.conformance.comparison import compare
from tests.conformance.table import FILE, render


def main() -> int:
    """Runs the comparisons a third at a time, which bounds the models served at once."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Compares every encoder family, served on the bundled Triton, with "
        f"transformers or timm, and writes {FILE.name}.",
        epilog="Example: python -m tests.conformance --only clip",
    )
    parser.add_argument(
        "--only",
        choices=sorted({case.model_type for case in EVERY_CASE}),
        help="compare one family and print its rows; the committed table is left alone",
    )
    only = parser.parse_args().only
    parts = [third(number) for number in range(THIRDS)]
    if only is not None:
        parts = [tuple(case for case in EVERY_CASE if case.model_type == only)]
    comparisons = []
    for part in parts:
        with tempfile.TemporaryDirectory() as folder:
            comparisons += compare(part, Path(folder))
    comparisons.sort(key=lambda each: EVERY_CASE.index(each.case))
    page = render(comparisons)
    print(page)
    if only is None:
        with atomic_file(FILE) as path:
            path.write_text(page, encoding="utf-8")
    return 0 if all(each.is_equal for each in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
