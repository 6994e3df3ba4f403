"""How long requests take with one compression and with another, measured in turns.

One thread does the whole work of a request, from image file and text to logits, example by example
and contender by contender, so that what else the machine does falls on all of them alike. Processor
time is what counts: it is what a server is out of when it is full, and it does not grow while other
processes wait for the same core.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.compression.sessions import GraphSession
from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.compression.encoder_side import EncoderSide

_WARM_UP: Final = 3
_EXAMPLES: Final = 48
_ROUNDS: Final = 5


@dataclass(frozen=True)
class SideTimes:
    """Processor time of one encoder's side of a request, in milliseconds.

    Attributes:
        preprocess_ms: decoding or tokenising; the same for all contenders.
        encode_ms: a graph each, median of the rounds' means, by the contender's name.
        rounds_ms: the rounds' means, by the contender's name.
    """

    preprocess_ms: float
    encode_ms: Mapping[str, float]
    rounds_ms: Mapping[str, tuple[float, ...]]


def time_in_turns(graphs: Mapping[str, Path], side: EncoderSide) -> SideTimes:
    """Times graphs of one encoder against each other.

    Args:
        graphs: by the contender's name.
        side: gives the inputs: held-out examples.
    """
    rows = [int(row) for row in side.variant.split.holdout[:_EXAMPLES]]
    sessions = {name: GraphSession(graph) for name, graph in graphs.items()}
    for session in sessions.values():
        for row in rows[:_WARM_UP]:
            session.run(side.feeds([row]))
    preprocess_ms: list[float] = []
    encode_ms: dict[str, list[float]] = {name: [] for name in sessions}
    with progress(f"Timing {len(sessions)} {side.side} graphs in turns", _ROUNDS) as advance:
        for _ in range(_ROUNDS):
            prepared, encoded = _round(sessions, side, rows)
            preprocess_ms.append(prepared)
            for name, mean_ms in encoded.items():
                encode_ms[name].append(mean_ms)
            advance()
    return SideTimes(
        preprocess_ms=float(np.median(preprocess_ms)),
        encode_ms={name: float(np.median(values)) for name, values in encode_ms.items()},
        rounds_ms={name: tuple(values) for name, values in encode_ms.items()},
    )


def _round(
    sessions: Mapping[str, GraphSession], side: EncoderSide, rows: Sequence[int]
) -> tuple[float, dict[str, float]]:
    prepared: NDArray[np.float64] = np.zeros(len(rows))
    encoded = {name: np.zeros(len(rows)) for name in sessions}
    for index, row in enumerate(rows):
        start_s = time.thread_time()
        feeds = side.feeds([row])
        prepared[index] = time.thread_time() - start_s
        for name, session in sessions.items():
            start_s = time.thread_time()
            session.run(feeds)
            encoded[name][index] = time.thread_time() - start_s
    return 1e3 * float(prepared.mean()), {
        name: 1e3 * float(values.mean()) for name, values in encoded.items()
    }
