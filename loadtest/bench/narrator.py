"""Tells what a run is doing, a line for each thing done.

Lines and no bar: a bar that moves by itself costs CPU, and the machine is being measured.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from loadtest.bench.latencies import Percentiles
from loadtest.bench.window import MAX_FOREIGN_RATIO

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.bench.rounds import Turns
    from loadtest.bench.window import Window


class Narrator:
    """Writes to a console, with the time since the run began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun_s = time.monotonic()

    def say(self, line: str) -> None:
        """Writes one line."""
        minutes, seconds = divmod(int(time.monotonic() - self._begun_s), 60)
        self._console.print(
            f"{minutes}:{seconds:02d}  {line}", soft_wrap=True, markup=False, highlight=False
        )

    def tell_window(self, clients: int, turns: Turns, number: int, window: Window) -> None:
        """Writes what a window gave.

        Args:
            clients: closed-loop clients of the servers in this section.
            turns: the section's.
            number: of the round, from 1.
            window: what was measured.
        """
        sample = window.sample
        parts = [
            f"{clients:>2} client{'s' if clients > 1 else ' '}  round {number}/{turns.rounds}",
            f"{window.contestant:<22}",
        ]
        if sample.branches:
            parts.append(
                f"image {sample.branches.image_ms:.1f} ms, text {sample.branches.text_ms:.1f} ms"
            )
        else:
            parts.append(f"{sample.throughput_rps:5.1f}/s")
        if sample.latencies_ms:
            latency = Percentiles.of(sample.latencies_ms)
            parts.append(f"P50 {latency.p50_ms:.1f}  P99 {latency.p99_ms:.1f} ms")
        parts.append(f"foreign CPU {sample.cpu.foreign_ratio:.0%}")
        if window.repeats:
            parts.append(f"(measured {window.repeats + 1} times, the calmest counts)")
        if not window.is_calm:
            parts.append(f"not calm: above {MAX_FOREIGN_RATIO:.0%}")
        if sample.failures:
            parts.append(f"{sample.failures.total()} FAILED: {next(iter(sample.failures))}")
        self.say("  ".join(parts))
