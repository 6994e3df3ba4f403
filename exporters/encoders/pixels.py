"""What an image family tells of its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from exporters.preprocessing.images import ImagePreprocessing


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of the pixel values 0 to 255, one a channel (RGB)."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class ImageNetwork:
    """A network before normalisation is put in front of it.

    Attributes:
        module: normalised planes float32 (batch, 3, height, width) to `Encoded`.
        normalisation: from pixels to what the network was trained on.
        preprocessing: from an image file to pixels.
        identity: what the network is, as JSON values: digest of its weights, and its family.
    """

    module: nn.Module
    normalisation: Normalisation
    preprocessing: ImagePreprocessing
    identity: Sequence[Any]
