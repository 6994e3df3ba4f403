"""Image encoders: checkpoints of transformers and of timm, and EfficientNet-Lite."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from exporters.checkpoints import find_checkpoint
from exporters.digests import digest_of_json
from exporters.encoders import efficientnet_lite, timm_models, vision_models
from exporters.errors import EncoderError

if TYPE_CHECKING:
    from exporters.checkpoints import Checkpoint
    from exporters.encoders.encoded import Encoded
    from exporters.encoders.pixels import ImageNetwork
    from exporters.preprocessing.images import ImagePreprocessing
    from exporters.recipe_sections import ImageEncoderRecipe


@dataclass(frozen=True)
class ImageEncoder:
    """A frozen image encoder.

    Attributes:
        name: what the recipe calls it.
        module: RGB pixels uint8 (batch, height, width, 3) to float32 (batch, dim); its `encode`
            gives the patches or grid cells too.
        preprocessing: from an image file to those pixels.
        dim: width of the pooled feature.
        cells: patches or grid cells of an image.
        cell_dim: width of a patch or grid cell.
        digest: SHA-256 of weights, family, normalisation and preprocessing.
    """

    name: str
    module: NormalisedImageModel
    preprocessing: ImagePreprocessing
    dim: int
    cells: int
    cell_dim: int
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
        return self.encode(pixels).pooled

    def encode(self, pixels: torch.Tensor) -> Encoded:
        """Pooled features, and the patches or grid cells that they were pooled from.

        Args:
            pixels: RGB, uint8 (batch, height, width, 3).

        Returns:
            float32 (batch, dim) and (batch, cells, cell_dim).
        """
        # Cast first: of bytes TensorRT takes nothing but a graph's input, and transposes none.
        planes = pixels.to(torch.float32).permute(0, 3, 1, 2)  # (batch, 3, height, width)
        encoded: Encoded = self.network((planes - self.mean) / self.std)
        return encoded


def load_image_encoder(recipe: ImageEncoderRecipe) -> ImageEncoder:
    """Loads the image encoder of a recipe, frozen and in evaluation mode.

    Raises:
        EncoderError: the checkpoint has no safetensors, is of a family that is not known, or does
            not take images of the size that its own processor makes.
        MissingRequirementError, DownloadError: see `find_checkpoint`.
    """
    checkpoint = find_checkpoint(recipe)
    network = _load_network(checkpoint, recipe)
    module = NormalisedImageModel(network).eval()
    module.requires_grad_(requires_grad=False)
    pooled, sequence = _encode_black(checkpoint.name, module, network.preprocessing)
    return ImageEncoder(
        name=checkpoint.name,
        module=module,
        preprocessing=network.preprocessing,
        dim=pooled.shape[1],
        cells=sequence.shape[1],
        cell_dim=sequence.shape[2],
        digest=digest_of_json(
            [*network.identity, asdict(network.preprocessing), asdict(network.normalisation)]
        ),
    )


def _load_network(checkpoint: Checkpoint, recipe: ImageEncoderRecipe) -> ImageNetwork:
    if efficientnet_lite.is_one(checkpoint):
        return efficientnet_lite.load(checkpoint, recipe)
    if timm_models.is_one(checkpoint):
        return timm_models.load(checkpoint, recipe)
    return vision_models.load(checkpoint, recipe)


def _encode_black(
    name: str, module: NormalisedImageModel, preprocessing: ImagePreprocessing
) -> Encoded:
    """Encodes one image, for the widths, which configs name in many ways or not at all."""
    size = (1, preprocessing.height, preprocessing.width, 3)
    try:
        with torch.inference_mode():
            return module.encode(torch.zeros(size, dtype=torch.uint8))
    except (ValueError, RuntimeError) as error:
        raise EncoderError(
            name,
            f"its network does not take the {preprocessing.height}x{preprocessing.width} images "
            f"that its processor makes: {error}",
        ) from error
