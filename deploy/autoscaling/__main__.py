"""`python -m deploy.autoscaling`: replays all recordings, writes the table of the chart's README.

Exit codes: 0 done, 1 a tool cannot be had, or Prometheus refuses something.
"""

from __future__ import annotations

import argparse
import sys

from deploy.autoscaling.promql import EvaluationError
from deploy.autoscaling.table import readme_text, replay_all
from deploy.helm.chart import CHART
from deploy.tools.errors import ToolError


def main() -> int:
    """Runs the command line and returns its exit code."""
    argparse.ArgumentParser(prog="python -m deploy.autoscaling", description=__doc__).parse_args()
    try:
        rows = replay_all()
    except (EvaluationError, ToolError) as error:
        print(error, file=sys.stderr)
        return 1
    for row in rows:
        minutes = " ".join(map(str, row.course.replicas[::4]))
        print(f"{row.scenario:<15} {row.scaled:<11} {row.way:<5} {minutes}")
    path = CHART / "README.md"
    scratch = path.with_suffix(".new")
    scratch.write_text(readme_text(path.read_text(encoding="utf-8"), rows), encoding="utf-8")
    scratch.replace(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
