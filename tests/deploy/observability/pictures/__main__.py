"""`python -m tests.deploy.observability.pictures`: draws dashboards from a real Prometheus.

What Prometheus answers to the panels' own queries goes into `deploy/observability/pictures/`: under
a load that the demo cannot answer, and while an experiment runs. Names of dashboards draw only
those.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from deploy.observability.boards import CAPACITY, EXPERIMENTS, SERVICE, TRITON_STEPS
from exporters.atomic import atomic_file
from tests.conftest import ROOT
from tests.deploy.observability.pictures.drawing import draw
from tests.deploy.observability.pictures.experiment import watched_experiment
from tests.deploy.observability.pictures.overload import watched_overload
from tests.deploy.observability.watchers import OBSERVABILITY

_RUNS: Final = (
    (watched_overload, (SERVICE, TRITON_STEPS, CAPACITY), 6),
    (watched_experiment, (EXPERIMENTS,), 8),
)
"""What is run, the dashboards that show it, and the most panels of a picture."""


def main(names: list[str]) -> None:
    """Runs what the named dashboards show, or all, and writes a picture of each."""
    known = [board.name for _, boards, _ in _RUNS for board in boards]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"There is no dashboard {unknown[0]}: there are {', '.join(known)}.")
    for watched_run, boards, max_panels in _RUNS:
        wanted = [board for board in boards if not names or board.name in names]
        if not wanted:
            continue
        with (
            tempfile.TemporaryDirectory(prefix="diptych-pictures-") as scratch,
            watched_run(ROOT / "model_repository", Path(scratch)) as (watch, told),
        ):
            for board in wanted:
                target = OBSERVABILITY / "pictures" / f"{board.name}.png"
                with atomic_file(target) as written:
                    figure = draw(board, watch, told, max_panels)
                    figure.savefig(written, dpi=80, pil_kwargs={"optimize": True})
                sys.stderr.write(f"{target}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
