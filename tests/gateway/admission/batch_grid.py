"""Prints what admission answers before a backend whose batches take long: the gateway's README.

    python -m tests.gateway.admission.batch_grid

One server behind one queue, batches of 8, 16 and 32 with four seeds each; two minutes on one core.
Once with the times of batches that the gateway's models tell, once as for a service without.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from tests.gateway.admission.simulated_service import SimulatedService

LOADS = (0.5, 1, 2, 4)
BATCHES_S = (0.08, 0.12, 0.16, 0.2, 0.24)
FIXED_RATIOS = (1.0, 0.6)
MAX_BATCHES = (8, 16, 32)
SEEDS = range(4)
SETTLED_S = 5.0
END_S = 20.0


@dataclass(frozen=True)
class Setting:
    """What one cell of the table is of."""

    batch_s: float
    fixed_ratio: float
    load: float
    has_batch_times: bool


def measure(setting: Setting) -> tuple[float, float]:
    """Returns what was answered of what could be, and what was missed of what was let in."""
    answered = []
    missed = []
    for max_batch, seed in product(MAX_BATCHES, SEEDS):
        service = SimulatedService(
            1,
            setting.batch_s,
            max_batch=max_batch,
            fixed_ratio=setting.fixed_ratio,
            seed=seed,
            has_shares=True,
            has_batch_times=setting.has_batch_times,
        )
        rate_rps = setting.load * service.capacity_rps
        outcome = service.run(lambda _, rate_rps=rate_rps: rate_rps, END_S)  # type: ignore[misc]
        possible_rps = min(rate_rps, service.capacity_rps)
        answered.append(outcome.goodput_rps(SETTLED_S, END_S) / possible_rps)
        missed.append(outcome.miss_ratio(SETTLED_S, END_S))
    return fmean(answered), fmean(missed)


def main() -> None:
    """Prints the table."""
    rows = list(product(BATCHES_S, FIXED_RATIOS))
    settings = [
        Setting(batch_s, fixed_ratio, load, has_batch_times)
        for (batch_s, fixed_ratio), load, has_batch_times in product(rows, LOADS, (False, True))
    ]
    with ProcessPoolExecutor(max_workers=2) as pool:
        measured = dict(zip(settings, pool.map(measure, settings), strict=True))
    loads = " | ".join(f"{load:g} times" for load in LOADS)
    lines = [f"| a full batch | of that fixed | {loads} |", "|---|---|" + "---|" * len(LOADS)]
    for batch_s, fixed_ratio in rows:
        cells = []
        for load in LOADS:
            (before, _), (answered, missed) = (
                measured[Setting(batch_s, fixed_ratio, load, has_batch_times)]
                for has_batch_times in (False, True)
            )
            shares = f"{100 * before:.0f} → {100 * answered:.0f}"
            cells.append(f"{shares} %, {100 * missed:.1f} % missed")
        name = f"{1000 * batch_s:.0f} ms | {100 * fixed_ratio:.0f} %"
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
