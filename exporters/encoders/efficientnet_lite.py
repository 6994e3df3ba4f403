"""EfficientNet-Lite, from the packages `efficientnet-lite-pytorch` and its weights.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the
Lite variants drop squeeze-and-excitation and use ReLU6.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from exporters.encoders.encoded import Encoded
from exporters.encoders.pixels import ImageNetwork, Normalisation
from exporters.errors import MissingRequirementError
from exporters.preprocessing.images import ImagePreprocessing

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.checkpoints import Checkpoint
    from exporters.recipe_sections import ImageEncoderRecipe

_WEIGHTS: Final = "efficientnet-lite*.pth"

_IMAGE_SIZES: Final = {0: 224, 1: 240, 2: 260, 3: 280, 4: 300}
# The TensorFlow original was trained on (x - 127) / 128; the mean and deviation that the package's
# README gives lose 8 points of accuracy on the demo.
_NORMALISATION: Final = Normalisation(mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))


class PooledEfficientNet(nn.Module):
    """The convolutional trunk and global average pooling."""

    def __init__(self, network: Any) -> None:  # noqa: ANN401  # the package carries no types
        super().__init__()
        self.network = network

    def forward(self, planes: torch.Tensor) -> Encoded:
        """Normalised planes float32 (batch, 3, height, width) to feature and grid cells."""
        grid: torch.Tensor = self.network.extract_features(planes)  # (batch, dim, rows, columns)
        return Encoded(grid.mean(dim=(2, 3)), grid.flatten(2).transpose(1, 2))


def is_one(checkpoint: Checkpoint) -> bool:
    """Whether the folder holds the weights of this family."""
    return any(checkpoint.folder.glob(_WEIGHTS))


def load(checkpoint: Checkpoint, recipe: ImageEncoderRecipe) -> ImageNetwork:
    """Loads the trunk.

    Raises:
        MissingRequirementError: the package with the architecture is not installed.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError as error:
        raise MissingRequirementError(
            "efficientnet-lite-pytorch",
            "this image encoder",
            "pip install --no-deps efficientnet-lite-pytorch==0.1.0",
        ) from error
    weights = _weights(checkpoint)
    variant = _variant(weights)
    network = EfficientNet.from_name(f"efficientnet-lite{variant}")
    # The package ships a pickle; the restricted unpickler takes tensors and plain containers only.
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    size = _IMAGE_SIZES[variant]  # the square that the variant was trained on
    return ImageNetwork(
        module=PooledEfficientNet(network),
        normalisation=_NORMALISATION,
        preprocessing=ImagePreprocessing(
            height=size,
            width=size,
            shortest_edge=None,
            resample="bilinear",
            jpeg_decode=recipe.jpeg_decode,
            max_pixels=recipe.max_pixels,
        ),
        identity=[checkpoint.digest(_WEIGHTS), f"efficientnet-lite{variant}"],
    )


def _weights(checkpoint: Checkpoint) -> Path:
    return sorted(checkpoint.folder.glob(_WEIGHTS))[0]


def _variant(weights: Path) -> int:
    match = re.match(r"efficientnet-lite(\d)", weights.name)
    return int(match.group(1)) if match else 0
