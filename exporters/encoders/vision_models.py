"""Image encoders of transformers: the towers of `IMAGE_FAMILIES`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from torch import nn

from exporters.encoders.encoded import Encoded
from exporters.encoders.families import IMAGE_FAMILIES, ImageFamily
from exporters.encoders.pixels import ImageNetwork
from exporters.encoders.processors import PROCESSOR_FILES, read_processor
from exporters.encoders.towers import Tower, find_family, load_tower

if TYPE_CHECKING:
    import torch

    from exporters.checkpoints import Checkpoint
    from exporters.recipe_sections import ImageEncoderRecipe

_FILES: Final = ("config.json", *PROCESSOR_FILES, "*.safetensors")


class PooledVisionModel(nn.Module):
    """A vision tower and the pooling that turns its patches or grid cells into one vector."""

    def __init__(self, tower: Tower, family: ImageFamily) -> None:
        super().__init__()
        self.network = tower.network
        self.projection = tower.projection
        self.pooling = family.pooling
        self.class_tokens = family.class_tokens

    def forward(self, planes: torch.Tensor) -> Encoded:
        """Normalised planes float32 (batch, 3, height, width) to feature and patches or cells."""
        output = self.network(pixel_values=planes)
        states: torch.Tensor = output.last_hidden_state
        if states.dim() == 4:
            states = states.flatten(2).transpose(1, 2)  # (batch, dim, rows, columns) -> cells
        sequence = states[:, self.class_tokens :]  # (batch, cells, dim)
        if self.pooling == "pooler":
            pooled = output.pooler_output.flatten(1)
        else:
            pooled = states[:, 0] if self.pooling == "cls" else sequence.mean(dim=1)
        return Encoded(self.projection(pooled), sequence)


def load(checkpoint: Checkpoint, recipe: ImageEncoderRecipe) -> ImageNetwork:
    """Loads the tower.

    Raises:
        EncoderError: the family is not known, its processor asks for something that is not
            supported, or transformers cannot load it.
    """
    family = find_family(checkpoint, IMAGE_FAMILIES)
    preprocessing, normalisation = read_processor(checkpoint, recipe)
    return ImageNetwork(
        module=PooledVisionModel(load_tower(checkpoint, family), family),
        normalisation=normalisation,
        preprocessing=preprocessing,
        identity=[checkpoint.digest(*_FILES), asdict(family)],
    )
