"""A checkpoint's own image processor to this project's preprocessing, proved on drawn images.

transformers resolves the config, with all forms it was ever written in (`preprocessor_config.json`,
`processor_config.json`, slow, fast and feature-extractor names, sizes as a number). What is read
from the resolved processor is then compared with the processor itself, so that a step which is not
known here is refused and not skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from exporters.encoders.pixels import Normalisation
from exporters.encoders.preprocessing_proof import prove_preprocessing
from exporters.encoders.torchvision_import import make_torchvision_importable
from exporters.errors import EncoderError
from exporters.preprocessing.images import ImagePreprocessing, Resample

if TYPE_CHECKING:
    from exporters.checkpoints import Checkpoint
    from exporters.recipe_sections import ImageEncoderRecipe

PROCESSOR_FILES: Final = ("preprocessor_config.json", "processor_config.json")

# The numbers are Pillow's, which is what a processor config holds.
_RESAMPLE: Final[dict[int, Resample]] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}
# ConvNeXt's processor crops below this edge and stretches from it on.
_CONVNEXT_STRETCHED_EDGE: Final = 384


@dataclass(frozen=True)
class _Geometry:
    """The result, and the resize before its crop: by the shorter side, or to a size; in pixels."""

    height: int
    width: int
    shortest_edge: int | None = None
    stretched_height: int | None = None
    stretched_width: int | None = None


def read_processor(
    checkpoint: Checkpoint, recipe: ImageEncoderRecipe
) -> tuple[ImagePreprocessing, Normalisation]:
    """Reads how a checkpoint's images are prepared.

    Raises:
        EncoderError: there is no processor config, or it asks for something that is not supported.
    """
    processor = _load(checkpoint)
    resample = _RESAMPLE.get(processor.resample)
    geometry = _geometry(processor)
    if resample is None or geometry is None:
        raise EncoderError(
            checkpoint.name, "its processor has a size, crop or resampling that is not supported"
        )
    preprocessing = ImagePreprocessing(
        height=geometry.height,
        width=geometry.width,
        shortest_edge=geometry.shortest_edge,
        stretched_height=geometry.stretched_height,
        stretched_width=geometry.stretched_width,
        resample=resample,
        jpeg_decode=recipe.jpeg_decode,
        max_pixels=recipe.max_pixels,
    )
    normalisation = _normalisation(processor)
    prove_preprocessing(
        checkpoint.name,
        type(processor).__name__,
        lambda image: np.asarray(processor(images=image, return_tensors="np")["pixel_values"][0]),
        preprocessing,
        normalisation,
    )
    return preprocessing, normalisation


def _load(checkpoint: Checkpoint) -> Any:  # noqa: ANN401  # transformers names no common type
    make_torchvision_importable()
    from transformers import AutoImageProcessor

    if not any((checkpoint.folder / name).is_file() for name in PROCESSOR_FILES):
        raise EncoderError(checkpoint.name, f"its folder holds no {PROCESSOR_FILES[0]}")
    try:
        return AutoImageProcessor.from_pretrained(
            checkpoint.folder, backend="pil", local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise EncoderError(
            checkpoint.name, f"transformers cannot read its image processor: {error}"
        ) from error


def _geometry(processor: Any) -> _Geometry | None:  # noqa: ANN401
    size, edge = processor.size, processor.size.shortest_edge
    crop = processor.crop_size if processor.do_center_crop else None
    if not processor.do_resize or size.longest_edge:
        return None
    if edge and getattr(processor, "crop_pct", None) is not None:
        is_cropped = edge < _CONVNEXT_STRETCHED_EDGE
        shortest_edge = int(edge / processor.crop_pct) if is_cropped else None
        return _Geometry(edge, edge, shortest_edge)
    if crop and crop.height and crop.width:
        return _Geometry(crop.height, crop.width, edge, size.height, size.width)
    # A shortest edge without a crop leaves each image its own proportions.
    return _Geometry(size.height, size.width) if size.height and size.width else None


def _normalisation(processor: Any) -> Normalisation:  # noqa: ANN401
    """All that follows the crop as one (pixel - mean) / std, in units of pixel values 0 to 255."""
    scale = float(processor.rescale_factor) if processor.do_rescale else 1.0
    # EfficientNet's processor can shift by one after scaling, and divide by std a second time.
    is_shifted = processor.do_rescale and getattr(processor, "rescale_offset", False)
    is_divided_again = getattr(processor, "include_top", False)
    means = np.broadcast_to(processor.image_mean if processor.do_normalize else 0.0, 3)
    stds = np.broadcast_to(processor.image_std if processor.do_normalize else 1.0, 3)
    again = np.broadcast_to(processor.image_std if is_divided_again else 1.0, 3)
    mean = (means + (1.0 if is_shifted else 0.0)) / scale
    std = stds * again / scale
    return Normalisation(
        (float(mean[0]), float(mean[1]), float(mean[2])),
        (float(std[0]), float(std[1]), float(std[2])),
    )
