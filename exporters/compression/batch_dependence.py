"""Do an encoder's features depend on what else is in the batch?

A served request meets strangers. Each held-out example is encoded alone and among random mates,
padded as the served step pads, and the two are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.compression.sessions import GraphSession

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.compression.encoder_side import EncoderSide

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
        largest_difference: of any value, relative to the largest of its feature.
        mean_cosine: of a feature alone and in company.
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
    alone, together = [], []
    for _ in range(_BATCHES):
        rows = [int(row) for row in rng.choice(holdout, min(_BATCH, len(holdout)), replace=False)]
        together.append(session.run(side.feeds(rows)))
        alone.append(np.concatenate([session.run(side.feeds([row])) for row in rows]))
    first = np.concatenate(alone).astype(np.float64)
    second = np.concatenate(together).astype(np.float64)
    scale = np.abs(first).max(axis=1, keepdims=True)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = (first * second).sum(axis=1) / np.maximum(norms, 1e-30)
    return BatchDependence(
        examples=len(first),
        largest_difference=float((np.abs(first - second) / np.maximum(scale, 1e-30)).max()),
        mean_cosine=float(cosines.mean()),
        smallest_cosine=float(cosines.min()),
    )
