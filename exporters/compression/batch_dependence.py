"""Does what an encoder says depend on what else is in the batch?

A served request meets strangers. Each held-out example is encoded alone and among random mates,
padded as the served step pads, and the two are compared: features, and sequences where a head reads
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.compression.sessions import GraphSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.compression.encoder_side import EncoderSide

    Values = NDArray[np.float64]

_BATCHES: Final = 24
_BATCH: Final = 4
"""Rows that go through a served graph together."""

# Padding changes the order of fp32 sums: 1.7e-7 of the largest feature was measured for fp32 and
# for static int8 alike, 2e-1 for dynamic int8.
ALLOWED: Final = 1e-3


@dataclass(frozen=True)
class BatchDependence:
    """What company does to features.

    Attributes:
        examples: how many were compared.
        largest_difference: of any value, relative to the largest of its feature or sequence.
        mean_cosine: of what is said alone and in company.
        smallest_cosine: the worst of them.
    """

    examples: int
    largest_difference: float
    mean_cosine: float
    smallest_cosine: float

    @property
    def is_dependent(self) -> bool:
        """Whether the same input can get another answer in other company."""
        return not self.largest_difference <= ALLOWED


def measure_batch_dependence(graph: Path, side: EncoderSide) -> BatchDependence:
    """Compares held-out examples alone and among mates, drawn with the recipe's seed."""
    session = GraphSession(graph)
    rng = np.random.default_rng(side.variant.recipe.seed)
    holdout = side.variant.split.holdout
    examples = 0
    differences: list[float] = []
    cosines: list[float] = []
    for _ in range(_BATCHES):
        rows = [int(row) for row in rng.choice(holdout, min(_BATCH, len(holdout)), replace=False)]
        examples += len(rows)
        for alone, together in _pairs(session, side, rows):
            scale = max(float(np.abs(alone).max()), 1e-30)
            differences.append(float(np.abs(alone - together).max()) / scale)
            norms = float(np.linalg.norm(alone) * np.linalg.norm(together))
            cosines.append(float((alone * together).sum()) / max(norms, 1e-30))
    return BatchDependence(
        examples=examples,
        largest_difference=float(np.max(differences)),  # a NaN stays one, and is no pass
        mean_cosine=float(np.mean(cosines)),
        smallest_cosine=float(np.min(cosines)),
    )


def _pairs(
    session: GraphSession, side: EncoderSide, rows: list[int]
) -> Iterator[tuple[Values, Values]]:
    """Each output of each row, alone and in company; a sequence alone is padded with zeros."""
    outputs = session.run(side.feeds(rows))
    for place, row in enumerate(rows):
        for alone, together in zip(session.run(side.feeds([row])), outputs, strict=True):
            padded = np.zeros(together[place].shape)
            padded[tuple(slice(size) for size in alone[0].shape)] = alone[0]
            yield padded, together[place].astype(np.float64)
