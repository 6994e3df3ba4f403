"""Is the candidate worse than what serves? Both answer the same examples; whole groups are drawn.

A candidate passes when its weighted accuracy on recent held-out examples is surely no lower than
the live variant's by more than a margin: the lower end of the 90 % interval, a one-sided test at
5 %. Chance is measured by a paired bootstrap of whole groups (Field and Welsh 2007, "Bootstrapping
clustered data"); the p-value of "neither is right more often" beside it flips the signs of groups,
which with groups of one and equal weights is McNemar's exact test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.evaluation.statistics import sign_flip_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESAMPLES: Final = 4000
_LEVEL_PERCENT: Final = 5.0


@dataclass(frozen=True)
class Bounds:
    """Largest losses of accuracy, 0 to 1, that are accepted.

    Attributes:
        recent: on recent examples, surely no more than that.
        original: on the original held-out ones, by the estimate.
    """

    recent: float = 0.02
    original: float = 0.05


@dataclass(frozen=True)
class PairedAccuracy:
    """Two variants on the same examples.

    Attributes:
        examples: how many.
        groups: of near twins, how many.
        live, candidate: accuracies, weighted.
        lower, upper: 90 % interval of the candidate's gain.
        p_value: two-sided, of "neither is right more often".
    """

    examples: int
    groups: int
    live: float
    candidate: float
    lower: float
    upper: float
    p_value: float

    @property
    def gain(self) -> float:
        """Accuracy of the candidate less that of the live variant."""
        return self.candidate - self.live

    def __str__(self) -> str:
        return (
            f"{self.live:.1%} → {self.candidate:.1%} of {self.examples} examples "
            f"({self.gain:+.1%}, 90 % interval {self.lower:+.1%} to {self.upper:+.1%}, "
            f"p = {self.p_value:.2g})"
        )


@dataclass(frozen=True)
class Judgement:
    """What speaks for and against a candidate."""

    recent: PairedAccuracy
    original: PairedAccuracy
    bounds: Bounds

    @property
    def refusal(self) -> str | None:
        """Why it is refused, a sentence; None: it passes."""
        if self.recent.lower < -self.bounds.recent:
            return (
                f"on recent feedback it goes {self.recent}, so a loss of more than "
                f"{self.bounds.recent:.1%} cannot be ruled out."
            )
        if self.original.gain < -self.bounds.original:
            return (
                f"it forgets: on the original held-out examples it goes {self.original}, a loss of "
                f"more than {self.bounds.original:.1%}."
            )
        return None


def compare_paired(
    live: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    weights: NDArray[np.float64],
    groups: NDArray[np.int64],
    seed: int,
) -> PairedAccuracy:
    """Compares which answers of two variants are right.

    Args:
        live: whether each of its answers is right, shape (examples,).
        candidate: the same of the other.
        weights: how many predictions an example stands for, shape (examples,).
        groups: of near twins, shape (examples,).
        seed: of the resamples.
    """
    differences = (candidate.astype(np.float64) - live) * weights
    _, group_of = np.unique(groups, return_inverse=True)
    gains = np.bincount(group_of, weights=differences)
    sizes = np.bincount(group_of, weights=weights)
    rng = np.random.default_rng(seed)
    chances = np.full(len(sizes), 1 / len(sizes))
    draws = rng.multinomial(len(sizes), chances, size=_RESAMPLES)  # (resamples, groups)
    resampled = (draws @ gains) / (draws @ sizes)
    lower, upper = np.percentile(resampled, [_LEVEL_PERCENT, 100 - _LEVEL_PERCENT])
    return PairedAccuracy(
        examples=len(live),
        groups=len(sizes),
        live=float(np.average(live, weights=weights)),
        candidate=float(np.average(candidate, weights=weights)),
        lower=float(lower),
        upper=float(upper),
        p_value=sign_flip_p(differences, groups, seed),
    )
