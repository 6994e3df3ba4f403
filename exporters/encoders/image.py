"""Image encoders: transformers vision checkpoints and EfficientNet-Lite."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from exporters.checkpoints import find_checkpoint
from exporters.digests import digest_of_json
from exporters.encoders import efficientnet_lite, vision_transformers

if TYPE_CHECKING:
    from exporters.encoders.pixels import ImageNetwork
    from exporters.preprocessing.images import ImagePreprocessing
    from exporters.recipe import ImageEncoderRecipe


@dataclass(frozen=True)
class ImageEncoder:
    """A frozen image encoder.

    Attributes:
        name: what the recipe calls it.
        module: RGB pixels uint8 (batch, height, width, 3) to float32 (batch, dim).
        preprocessing: from an image file to those pixels.
        dim: width of the pooled feature.
        digest: SHA-256 of weights, normalisation and preprocessing.
    """

    name: str
    module: nn.Module
    preprocessing: ImagePreprocessing
    dim: int
    digest: str


class NormalisedImageModel(nn.Module):
    """A network with its pixel normalisation inside, so that steps pass on bytes, not floats."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network.module
        normalisation = network.normalisation
        self.register_buffer("mean", torch.tensor(normalisation.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(normalisation.std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pooled features.

        Args:
            pixels: RGB, uint8 (batch, height, width, 3).

        Returns:
            float32 (batch, dim).
        """
        planes = pixels.permute(0, 3, 1, 2).to(torch.float32)  # (batch, 3, height, width)
        features: torch.Tensor = self.network((planes - self.mean) / self.std)
        return features


def load_image_encoder(recipe: ImageEncoderRecipe) -> ImageEncoder:
    """Loads the image encoder of a recipe, frozen and in evaluation mode.

    Raises:
        EncoderError: the checkpoint has no safetensors, or is of a family that is not known.
        MissingRequirementError, DownloadError: see `find_checkpoint`.
    """
    checkpoint = find_checkpoint(recipe)
    family = efficientnet_lite if efficientnet_lite.is_one(checkpoint) else vision_transformers
    network = family.load(checkpoint, recipe)
    module = NormalisedImageModel(network).eval()
    module.requires_grad_(requires_grad=False)
    return ImageEncoder(
        name=checkpoint.name,
        module=module,
        preprocessing=network.preprocessing,
        dim=network.dim,
        digest=image_encoder_digest(recipe),
    )


def image_encoder_digest(recipe: ImageEncoderRecipe) -> str:
    """The digest of the encoder that a recipe names, without loading its network."""
    checkpoint = find_checkpoint(recipe)
    family = efficientnet_lite if efficientnet_lite.is_one(checkpoint) else vision_transformers
    preprocessing = asdict(family.preprocessing(checkpoint, recipe))
    normalisation = asdict(family.normalisation(checkpoint))
    return digest_of_json([checkpoint.digest(*family.FILES), preprocessing, normalisation])
