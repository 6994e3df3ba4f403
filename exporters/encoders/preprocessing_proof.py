"""Holds this project's preprocessing against that of the library which a checkpoint comes from.

A step of theirs that the translation does not know makes a difference here, and is refused when the
encoder is loaded, where it would otherwise be skipped.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from exporters.errors import EncoderError
from exporters.preprocessing.images import decode_image

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from exporters.encoders.pixels import Normalisation
    from exporters.preprocessing.images import ImagePreprocessing

    Planes = npt.NDArray[np.float32]

# Both sides start from the same 8-bit pixels. A handful of fp32 roundings (6e-8 each) lie between
# the two orders of scaling; one wrong level of 255 would be some hundred times as much.
_RELATIVE_TOLERANCE: Final = 2e-6


def prove_preprocessing(
    encoder: str,
    theirs: str,
    prepare: Callable[[Image.Image], Planes],
    preprocessing: ImagePreprocessing,
    normalisation: Normalisation,
) -> None:
    """Compares both ways on noise, wide and tall, larger and smaller than the result.

    Args:
        encoder: name of the encoder, for the error.
        theirs: what the library calls its way, for the error.
        prepare: that way: an image to planes float32 (3, height, width).
        preprocessing: from an image file to pixels.
        normalisation: from pixels to planes.

    Raises:
        EncoderError: the planes differ.
    """
    rng = np.random.default_rng(0)
    height, width = preprocessing.height, preprocessing.width
    for shape in ((height + 31, 2 * width + 7), (2 * height + 9, width // 2 + 5)):
        image = Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
        expected = prepare(image)
        actual = _planes(image, preprocessing, normalisation)
        tolerance = _RELATIVE_TOLERANCE * max(1.0, float(np.abs(expected).max()))
        is_equal = expected.shape == actual.shape and np.abs(expected - actual).max() <= tolerance
        if not is_equal:
            raise EncoderError(
                encoder, f"its {theirs} prepares images in a way that is not supported"
            )


def _planes(
    image: Image.Image, preprocessing: ImagePreprocessing, normalisation: Normalisation
) -> Planes:
    """What reaches the network, float32 (3, height, width)."""
    file = io.BytesIO()
    image.save(file, "BMP")
    size = replace(preprocessing, max_pixels=image.width * image.height)
    pixels = decode_image(file.getvalue(), size).astype(np.float32)
    mean, std = (np.array(each, np.float32) for each in (normalisation.mean, normalisation.std))
    planes: Planes = ((pixels - mean) / std).transpose(2, 0, 1)
    return planes
