"""How well an image and a text go together, in a projection that the exporter fitted.

Canonical correlation analysis (Hotelling 1936; with a ridge as in Hardoon et al. 2004, "Canonical
Correlation Analysis: An Overview with Application to Learning Methods") finds what of an image the
text tells too. Pairs that were swapped lose it, while each side by itself looks as it always did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """The two projections.

    Attributes:
        image: shape (pairs of directions, image components), each row scaled by the root of its
            correlation, so that what both tell weighs most.
        text: the same for texts.
    """

    image: Floats
    text: Floats

    def scores(self, image: Floats, text: Floats) -> Floats:
        """Returns the cosine of each pair, shape (rows,).

        Args:
            image: coordinates of images, shape (rows, image components + 1); see `embedding`.
            text: coordinates of texts, shape (rows, text components + 1).
        """
        one = image[:, :-1] @ self.image.T  # (rows, directions)
        other = text[:, :-1] @ self.text.T
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosines: Floats = (one * other).sum(axis=1) / np.maximum(lengths, 1e-12)
        return cosines
