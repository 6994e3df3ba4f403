"""Dual towers: projections on two frozen encoders, so that labels can come with each request."""

from exporters.alignment.classes import ClassSplit
from exporters.alignment.projections import Projections, tower_for
from exporters.alignment.run import align, load_aligned
from exporters.alignment.scoring import Scoring
from exporters.alignment.towers import AlignedTowers

__all__ = [
    "AlignedTowers",
    "ClassSplit",
    "Projections",
    "Scoring",
    "align",
    "load_aligned",
    "tower_for",
]
