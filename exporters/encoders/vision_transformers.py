"""Image encoders of transformers, with the preprocessing that their checkpoint prescribes.

A family is one entry of `_POOLINGS`. Size, crop, resampling, mean, deviation and rescaling are read
from the checkpoint's own `preprocessor_config.json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from torch import nn

from exporters.encoders.pixels import ImageNetwork, Normalisation
from exporters.errors import EncoderError
from exporters.preprocessing.images import ImagePreprocessing

if TYPE_CHECKING:
    import torch

    from exporters.checkpoints import Checkpoint
    from exporters.recipe import ImageEncoderRecipe

FILES: Final = ("config.json", "preprocessor_config.json", "*.safetensors")

_PROCESSOR: Final = "preprocessor_config.json"
_POOLINGS: Final[dict[str, Literal["cls"]]] = {"vit": "cls", "deit": "cls"}
# The numbers are Pillow's, which is what a processor config holds.
_RESAMPLE: Final[dict[int, Literal["nearest", "bilinear", "bicubic", "lanczos"]]] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
}


class PooledVisionModel(nn.Module):
    """A vision transformer whose class token is the feature."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Normalised planes float32 (batch, 3, height, width) to float32 (batch, dim)."""
        states: torch.Tensor = self.transformer(pixel_values=planes).last_hidden_state
        return states[:, 0]  # (batch, tokens, dim) -> (batch, dim)


def preprocessing(checkpoint: Checkpoint, recipe: ImageEncoderRecipe) -> ImagePreprocessing:
    """Reads size, crop and resampling from the checkpoint's processor config.

    Raises:
        EncoderError: the config asks for something that is not supported.
    """
    config = checkpoint.config(_PROCESSOR)
    size = _sides(config.get("size"))
    crop = _sides(config.get("crop_size")) if config.get("do_center_crop") else size
    shortest_edge = size.get("shortest_edge")
    resample = _RESAMPLE.get(config.get("resample", 2))
    if "height" not in crop or "width" not in crop or resample is None:
        raise EncoderError(
            checkpoint.name, f"{_PROCESSOR} has a size, crop or resampling that is not supported"
        )
    if shortest_edge is None and crop != size:
        raise EncoderError(
            checkpoint.name, f"{_PROCESSOR} crops after a resize to height and width"
        )
    return ImagePreprocessing(
        height=crop["height"],
        width=crop["width"],
        shortest_edge=shortest_edge,
        resample=resample,
        jpeg_decode=recipe.jpeg_decode,
        max_pixels=recipe.max_pixels,
    )


def normalisation(checkpoint: Checkpoint) -> Normalisation:
    """Reads mean, deviation and rescaling, turned into units of pixel values 0 to 255."""
    config = checkpoint.config(_PROCESSOR)
    scale = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
    if not config.get("do_normalize", True):
        return Normalisation((0.0, 0.0, 0.0), (1 / scale, 1 / scale, 1 / scale))
    mean = [value / scale for value in config["image_mean"]]
    std = [value / scale for value in config["image_std"]]
    return Normalisation((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))


def load(checkpoint: Checkpoint, recipe: ImageEncoderRecipe) -> ImageNetwork:
    """Loads the transformer.

    Raises:
        EncoderError: the family is not known, or transformers cannot load it.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # it counts tensors, which takes no time

    config = checkpoint.config()
    checkpoint.require_safetensors()
    family = config.get("model_type", "")
    if family not in _POOLINGS:
        known = ", ".join(sorted(_POOLINGS))
        raise EncoderError(
            checkpoint.name, f"its family '{family}' is not known; known are {known}"
        )
    try:
        transformer = AutoModel.from_pretrained(
            checkpoint.folder,
            attn_implementation="eager",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            add_pooling_layer=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EncoderError(checkpoint.name, f"transformers cannot load it: {error}") from error
    return ImageNetwork(
        module=PooledVisionModel(transformer),
        normalisation=normalisation(checkpoint),
        preprocessing=preprocessing(checkpoint, recipe),
        dim=int(config["hidden_size"]),
    )


def _sides(size: Any) -> dict[str, int]:  # noqa: ANN401  # whatever the JSON holds
    if isinstance(size, int):  # the form of older configs
        return {"height": size, "width": size}
    return {key: int(value) for key, value in size.items()} if isinstance(size, dict) else {}
