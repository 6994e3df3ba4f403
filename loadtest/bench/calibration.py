"""Finds the best setting of each peer, so that the service is held against peers at their best."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from loadtest.bench.peers import BaselineSettings, baseline_candidates
from loadtest.bench.roofline import Layout, Roofline, layouts
from loadtest.bench.window import BASELINE, InProcess, UnderLoad

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtest.bench.narrator import Narrator
    from loadtest.bench.subject import Subject

_CLIENTS: Final = 16


def best_layout(
    subject: Subject, cores: int, duration_s: float, narrator: Narrator
) -> tuple[Layout, Mapping[str, float]]:
    """Tries all layouts of the work without a server.

    Args:
        subject: what the run shares.
        cores: of the machine.
        duration_s: how long each is tried.
        narrator: told of each.

    Returns:
        The fastest one, and requests a second of each.
    """
    rates: dict[Layout, float] = {}
    with ExitStack() as open_rooflines:
        rooflines = {
            shape: open_rooflines.enter_context(Roofline(subject.variant, subject.corpus, *shape))
            for shape in dict.fromkeys(
                (layout.processes, layout.threads) for layout in layouts(cores)
            )
        }
        for layout in layouts(cores):
            roofline = rooflines[layout.processes, layout.threads]
            rates[layout] = InProcess(roofline, layout).measure(duration_s).throughput_rps
            narrator.say(f"in-process, {layout}: {rates[layout]:.1f}/s")
    best = max(rates, key=rates.__getitem__)
    return best, {str(layout): rate for layout, rate in rates.items()}


def best_baseline(
    subject: Subject, cores: int, duration_s: float, narrator: Narrator
) -> tuple[BaselineSettings, Mapping[str, float]]:
    """Tries all settings of the baseline; arguments and result as of `best_layout`."""
    rates: dict[BaselineSettings, float] = {}
    for settings in baseline_candidates(cores):
        with subject.baseline(settings) as baseline:
            load = UnderLoad(BASELINE, subject.server(baseline.address), _CLIENTS)
            rates[settings] = load.measure(duration_s).throughput_rps
        narrator.say(f"baseline, {settings}: {rates[settings]:.1f}/s")
    best = max(rates, key=rates.__getitem__)
    return best, {str(settings): rate for settings, rate in rates.items()}
