"""Tests of the difference between two arms, looked at after every label: which of them hold.

Vectorised and written down anew here, apart from the gateway's code: what is chosen by this table
is implemented there. Equal arms show how often a test errs, others how many labels it needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Method = Callable[["Labels"], NDArray[np.bool_]]

LEVEL: Final = 0.05
_SCALE: Final = 0.05
_MIN_FOR_Z: Final = 30


@dataclass(frozen=True, slots=True)
class Labels:
    """Counts after each label, of many runs; each of shape (runs, labels).

    Attributes:
        control: labels of the control.
        control_right: of these, right ones.
        candidate: labels of the candidate.
        candidate_right: of these, right ones.
    """

    control: Floats
    control_right: Floats
    candidate: Floats
    candidate_right: Floats

    @property
    def difference(self) -> Floats:
        """Candidate minus control; 0 while an arm has no label."""
        candidate = self.candidate_right / np.maximum(self.candidate, 1)
        return np.asarray(candidate - self.control_right / np.maximum(self.control, 1))


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated.

    Attributes:
        accuracy: of the control.
        share: of the candidate.
    """

    accuracy: float
    share: float


SETTINGS: Final = (Setting(0.85, 0.5), Setting(0.85, 0.05), Setting(0.97, 0.05))


def draw(
    setting: Setting, gain: float, *, runs: int, labels: int, random: np.random.Generator
) -> Labels:
    """Draws labels one by one.

    Args:
        setting: of the control.
        gain: accuracy that the candidate has above it.
        runs: how many.
        labels: of each run.
        random: draws.
    """
    is_candidate = random.random((runs, labels)) < setting.share
    is_right = random.random((runs, labels)) < setting.accuracy + gain * is_candidate
    count = np.arange(1, labels + 1, dtype=np.float64)
    candidate = np.cumsum(is_candidate, axis=1, dtype=np.float64)
    candidate_right = np.cumsum(is_candidate & is_right, axis=1, dtype=np.float64)
    right = np.cumsum(is_right, axis=1, dtype=np.float64)
    return Labels(count - candidate, right - candidate_right, candidate, candidate_right)


def interval_for_one_look(labels: Labels) -> NDArray[np.bool_]:
    """The textbook's z test at 5 %, from 30 labels of each arm on."""
    variance = _own_variance(labels, added=0.0)
    has_enough = np.minimum(labels.control, labels.candidate) >= _MIN_FOR_Z
    return np.asarray(has_enough & (np.abs(labels.difference) > 1.96 * np.sqrt(variance)))


def mixture_of_own_variances(labels: Labels) -> NDArray[np.bool_]:
    """Normal mixture with each arm's plug-in variance."""
    variance = _own_variance(labels, added=0.0)
    return _mixture(labels, np.where(variance > 0, variance, np.inf))


def mixture_of_larger_variance(labels: Labels) -> NDArray[np.bool_]:
    """Normal mixture with the larger variance of both, one right and one wrong one added."""
    variances = [
        near * (1 - near)
        for near in (
            (labels.control_right + 1) / (labels.control + 2),
            (labels.candidate_right + 1) / (labels.candidate + 2),
        )
    ]
    with np.errstate(divide="ignore"):
        per_label = 1 / labels.control + 1 / labels.candidate
    return _mixture(labels, np.maximum(*variances) * per_label)


def exact_beta_mixture(labels: Labels) -> NDArray[np.bool_]:
    """Product of uniform mixtures over the best common accuracy: exact at any number of labels."""
    wrong = labels.control - labels.control_right, labels.candidate - labels.candidate_right
    right = labels.control_right + labels.candidate_right
    total = labels.control + labels.candidate
    both = betaln(labels.control_right + 1, wrong[0] + 1) + betaln(
        labels.candidate_right + 1, wrong[1] + 1
    )
    common = xlogy(right, right / total) + xlog1py(total - right, -right / total)
    return np.asarray(both - common >= math.log(1 / LEVEL))


METHODS: Final[dict[str, Method]] = {
    "interval for one look": interval_for_one_look,
    "normal mixture, own variances": mixture_of_own_variances,
    "normal mixture, larger variance": mixture_of_larger_variance,
    "exact beta mixture": exact_beta_mixture,
}
CHOSEN: Final = "normal mixture, larger variance"


def _own_variance(labels: Labels, *, added: float) -> Floats:
    variance = np.zeros_like(labels.control)
    for count, right in (
        (labels.control, labels.control_right),
        (labels.candidate, labels.candidate_right),
    ):
        near = (right + added) / np.maximum(count + 2 * added, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance += np.where(count > 0, near * (1 - near) / count, np.inf)
    return variance


def _mixture(labels: Labels, variance: Floats) -> NDArray[np.bool_]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _SCALE**2 / variance
        reach = np.sqrt(variance * (1 + 1 / ratio) * (np.log1p(ratio) + 2 * math.log(1 / LEVEL)))
    return np.asarray(np.isfinite(variance) & (np.abs(labels.difference) > reach))


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """One method.

    Attributes:
        errs: by setting: share of runs with equal arms in which it called them different.
        labels_needed: median of labels after which it found a gain of 0.05; None: in fewer than
            half of the runs.
    """

    errs: dict[str, float]
    labels_needed: float | None


def compare_methods(*, runs: int, labels: int, seed: int) -> dict[str, MethodFigures]:
    """Returns the figures of each method, all on the same draws."""
    random = np.random.default_rng(seed)
    equal = {
        f"accuracy {each.accuracy:g}, share {each.share:g}": draw(
            each, 0.0, runs=runs, labels=labels, random=random
        )
        for each in SETTINGS
    }
    better = draw(SETTINGS[0], 0.05, runs=runs, labels=labels, random=random)
    figures = {}
    for name, method in METHODS.items():
        found = method(better)
        needed = np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, np.inf)
        median = float(np.median(needed))
        figures[name] = MethodFigures(
            errs={
                setting: float(method(drawn).any(axis=1).mean()) for setting, drawn in equal.items()
            },
            labels_needed=median if math.isfinite(median) else None,
        )
    return figures
