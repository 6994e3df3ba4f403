"""From logits to calibrated, ranked labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.classification.values import RankedLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gateway.classification.values import Scores


def probabilities(scores: Scores) -> NDArray[np.float64]:
    """Calibrates by temperature (Guo et al. 2017, arXiv:1706.04599).

    Returns:
        Of shape (labels,), with the sum 1; of a sigmoid, each by itself.
    """
    scaled = scores.logits.astype(np.float64) / scores.temperature  # (labels,)
    if scores.activation == "sigmoid":
        # In the form that does not overflow, whatever the sign.
        independent: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * scaled))
        return independent
    odds = np.exp(scaled - scaled.max())
    calibrated: NDArray[np.float64] = odds / odds.sum()
    return calibrated


def rank(scores: Scores, top_k: int) -> tuple[RankedLabel, ...]:
    """Takes the best labels.

    Args:
        scores: of all labels.
        top_k: how many to return; all when there are fewer.
    """
    calibrated = probabilities(scores)
    # Stable, so that equal scores keep the labels' order.
    best = np.argsort(-calibrated, kind="stable")[:top_k]
    return tuple(RankedLabel(scores.labels[i], float(calibrated[i])) for i in best.tolist())
