"""From logits to calibrated, ranked labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gateway.classification.values import RankedLabel

if TYPE_CHECKING:
    from gateway.classification.values import Scores

_FEW_LABELS: Final = 64
"""Up to so many, plain floats are quicker than arrays, by far for a request that comes alone."""


def probabilities(scores: Scores) -> list[float]:
    """Calibrates by temperature (Guo et al. 2017, arXiv:1706.04599).

    Returns:
        One for each label, with the sum 1; of a sigmoid, each by itself.
    """
    if len(scores.labels) <= _FEW_LABELS:
        return _of_few(scores)
    scaled = scores.logits.astype(np.float64) / scores.temperature  # (labels,)
    if scores.activation == "sigmoid":
        # In the form that does not overflow, whatever the sign.
        return [*(0.5 * (1.0 + np.tanh(0.5 * scaled))).tolist()]
    odds = np.exp(scaled - scaled.max())
    return [*(odds / odds.sum()).tolist()]


def _of_few(scores: Scores) -> list[float]:
    scaled = [logit / scores.temperature for logit in scores.logits.tolist()]
    if scores.activation == "sigmoid":
        return [0.5 * (1.0 + math.tanh(0.5 * each)) for each in scaled]
    largest = max(scaled)
    odds = [math.exp(each - largest) for each in scaled]
    total = math.fsum(odds)
    return [each / total for each in odds]


def rank(scores: Scores, top_k: int) -> tuple[RankedLabel, ...]:
    """Takes the best labels.

    Args:
        scores: of all labels.
        top_k: how many to return; all when there are fewer.
    """
    calibrated = probabilities(scores)
    # Equal scores keep the labels' order.
    best = sorted(range(len(calibrated)), key=calibrated.__getitem__, reverse=True)[:top_k]
    return tuple(RankedLabel(scores.labels[i], calibrated[i]) for i in best)
