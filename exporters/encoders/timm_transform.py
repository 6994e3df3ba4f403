"""How timm prepares images, read from a checkpoint's `pretrained_cfg` and held against timm's own.

timm resolves the config and builds the transform; what the resolved config says is translated to
this project's preprocessing, and both are compared on drawn images.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from exporters.encoders.pixels import Normalisation
from exporters.encoders.preprocessing_proof import prove_preprocessing
from exporters.errors import EncoderError
from exporters.preprocessing.images import ImagePreprocessing, Resample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.recipe_sections import ImageEncoderRecipe

_LEVELS: Final = 255  # timm scales pixels to 0 to 1 before it normalises them


def read_transform(
    encoder: str, pretrained_cfg: dict[str, Any], recipe: ImageEncoderRecipe
) -> tuple[ImagePreprocessing, Normalisation]:
    """Reads how a checkpoint's images are prepared.

    Args:
        encoder: name of the encoder, for errors.
        pretrained_cfg: of the checkpoint's `config.json`.
        recipe: says how JPEG files are decoded, and how large they may be.

    Raises:
        EncoderError: it asks for something that is not supported, by the name of its key.
    """
    from timm.data import create_transform, resolve_data_config

    try:
        resolved = resolve_data_config(pretrained_cfg=pretrained_cfg)
        preprocessing = _preprocessing(encoder, resolved, recipe)
        transform = create_transform(**resolved)
        normalisation = Normalisation(_levels(resolved["mean"]), _levels(resolved["std"]))
    except (TypeError, ValueError, KeyError, IndexError, AssertionError) as error:
        raise EncoderError(
            encoder, f"timm cannot read the pretrained_cfg of its config.json: {error!r}"
        ) from error
    prove_preprocessing(
        encoder,
        "timm transform",
        lambda image: np.asarray(transform(image), dtype=np.float32),
        preprocessing,
        normalisation,
    )
    return preprocessing, normalisation


def _levels(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (_LEVELS * float(each) for each in values)
    return red, green, blue


def _preprocessing(
    encoder: str, resolved: dict[str, Any], recipe: ImageEncoderRecipe
) -> ImagePreprocessing:
    channels, height, width = resolved["input_size"]
    mode, resample = resolved["crop_mode"], resolved["interpolation"]
    ratio = float(resolved["crop_pct"])
    is_squashed = mode == "squash"
    if channels != 3:
        raise EncoderError(encoder, f"input_size has {channels} channels; images here have 3")
    if mode not in {"center", "squash"}:
        raise EncoderError(encoder, f"crop_mode '{mode}' is not supported; center and squash are")
    if resample not in get_args(Resample):
        raise EncoderError(
            encoder,
            f"interpolation '{resample}' is not supported; {', '.join(get_args(Resample))} are",
        )
    if not 0 < ratio <= 1:
        raise EncoderError(encoder, f"crop_pct is {ratio:g}; it must be above 0 and at most 1")
    if height != width and not is_squashed:
        raise EncoderError(
            encoder,
            f"input_size is {height}x{width}; with crop_mode center only squares are supported",
        )
    before_crop = {
        "stretched_height": math.floor(height / ratio),
        "stretched_width": math.floor(width / ratio),
    }
    return ImagePreprocessing(
        height=height,
        width=width,
        shortest_edge=None if is_squashed else math.floor(height / ratio),
        resample=resample,
        jpeg_decode=recipe.jpeg_decode,
        max_pixels=recipe.max_pixels,
        crop_rounding="even",
        **(before_crop if is_squashed else {}),
    )
