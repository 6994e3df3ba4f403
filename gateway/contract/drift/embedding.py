"""Features as a few coordinates, and how far their distribution is from the reference's.

Coordinates are principal components and, behind them, the length of what they leave out: an input
of a kind that was never seen often differs in what no component of the seen ones tells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gateway.contract.drift.quadratic_form import upper_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gateway.contract.drift.reference import EmbeddingReference

    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """From features to coordinates.

    Attributes:
        centre: mean of the training features, shape (dim,).
        axes: principal axes, shape (components, dim), of about unit length.
        residual_scale: what the length of the rest is multiplied by.
    """

    centre: Floats
    axes: Floats
    residual_scale: float

    def coordinates(self, features: Floats) -> Floats:
        """Projects features, shape (..., dim), to coordinates (..., components + 1)."""
        centred = features - self.centre
        along: Floats = centred @ self.axes.T
        rest = np.square(centred).sum(axis=-1) - np.square(along).sum(axis=-1)
        length = np.sqrt(np.maximum(rest, 0.0)) * self.residual_scale
        coordinates: Floats = np.concatenate([along, length[..., None]], axis=-1, dtype=np.float32)
        return coordinates


def kernel_features(coordinates: Floats, frequencies: Floats) -> Floats:
    """Random Fourier features, whose inner product is about a Gaussian kernel.

    Rahimi and Recht 2007, "Random Features for Large-Scale Kernel Machines".

    Args:
        coordinates: shape (rows, width).
        frequencies: shape (waves, width), normal with deviation 1 / bandwidth.

    Returns:
        Shape (rows, 2 waves).
    """
    angles: Floats = coordinates @ frequencies.T  # (rows, waves)
    waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    scaled: Floats = (waves / math.sqrt(len(frequencies))).astype(np.float32)
    return scaled


class EmbeddingTest:
    """The maximum mean discrepancy of a window from the reference.

    Gretton et al. 2012, "A Kernel Two-Sample Test", with random features (Zhao and Meng 2015,
    "FastMMD"): the distance between the mean features of both. Where nothing has changed, its
    square is a weighted sum of chi-squareds, with the eigenvalues of the features' covariance.

    Args:
        reference: of one modality.
    """

    def __init__(self, reference: EmbeddingReference) -> None:
        self.projection = Projection(
            reference.centre.unpack(),
            reference.axes.unpack() * reference.axis_scales.unpack()[:, None],
            reference.residual_scale,
        )
        self._frequencies = reference.frequencies.unpack()
        self._mean = reference.kernel_mean.unpack()
        self._eigenvalues = reference.kernel_eigenvalues.unpack().astype(np.float64)
        self._rows = reference.effective_rows
        self._quantiles: dict[float, float] = {}

    def distance(self, coordinates: Floats) -> float:
        """Returns the discrepancy of a window, whose shape is (rows, components + 1)."""
        mean = kernel_features(coordinates, self._frequencies).mean(axis=0)
        return float(np.linalg.norm(mean - self._mean))

    def threshold(self, rows: int, false_alarm: float) -> float:
        """Returns what the distance exceeds with a probability when nothing has changed."""
        spread = 1.0 / rows + 1.0 / self._rows
        if false_alarm not in self._quantiles:
            self._quantiles[false_alarm] = upper_quantile(self._eigenvalues, false_alarm)
        return math.sqrt(spread * self._quantiles[false_alarm])
