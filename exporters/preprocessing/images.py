"""An encoded image file to the pixels an image encoder takes.

Decoding, orientation, colour, size and crop happen here; mean and standard deviation are part of
the encoder's graph. Features for training and answers in serving come through this one function, so
neither can drift from the other.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from exporters.preprocessing.errors import InputFaultError
from exporters.preprocessing.jpeg_structure import (
    MAX_FULL_SCANS,
    count_scans,
    has_bounded_head,
    is_jpeg,
)
from gateway.contract.input_fault import InputFault

Resample = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

_WHITE: Final = (255, 255, 255, 255)
_RESAMPLING: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
# What Pillow's decoders were seen to raise on damaged files; OSError covers its own error types.
_DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class ImagePreprocessing:
    """How an image becomes the encoder's input.

    Attributes:
        height, width: size of the result in pixels.
        shortest_edge: resize the shorter side to this many pixels and crop the centre to
            (height, width); None resizes straight to (height, width).
        resample: one of nearest, bilinear, bicubic, lanczos, box, hamming.
        jpeg_decode: `full`, or `scaled` to let the JPEG decoder halve the image while it stays at
            least as large as the result: faster, and slightly different pixels.
        max_pixels: images with more pixels are refused before they are decoded.
        stretched_height, stretched_width: without `shortest_edge`, resize to these many pixels,
            whatever the image's proportions, and crop the centre to (height, width).
        crop_rounding: where an odd number of pixels is to be cropped, the smaller half comes from
            the left and the top (`down`), or the even half does (`even`), as torchvision does it.
    """

    height: int
    width: int
    shortest_edge: int | None
    resample: Resample
    jpeg_decode: Literal["scaled", "full"]
    max_pixels: int
    stretched_height: int | None = None
    stretched_width: int | None = None
    crop_rounding: Literal["down", "even"] = "down"

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Builds the value from what `dataclasses.asdict` gave."""
        return cls(**fields)


def decode_image(data: bytes, preprocessing: ImagePreprocessing) -> npt.NDArray[np.uint8]:
    """Decodes an image file to the pixels of an encoder.

    The first frame of an animation is taken, EXIF orientation is applied, transparency is laid on
    white, and CMYK, palette, grey and 16-bit images become 8-bit RGB.

    Args:
        data: an encoded JPEG, PNG, WebP, GIF or BMP file.
        preprocessing: the size and the way there.

    Returns:
        RGB pixels, uint8 (height, width, 3).

    Raises:
        InputFaultError: the file is of another type, too large, truncated or damaged.
    """
    image = _open(data, preprocessing.max_pixels)
    edge = preprocessing.shortest_edge or max(_stretched_size(preprocessing))
    if preprocessing.jpeg_decode == "scaled" and image.format == "JPEG":
        image.draft(None, (edge, edge))
    try:
        image.load()
        upright = _upright(image)
        rgb = _to_rgb(upright)
    except _DECODER_ERRORS as error:
        raise InputFaultError(_damage(error)) from error
    return np.array(_resize(rgb, preprocessing), dtype=np.uint8)


def small_jpeg() -> bytes:
    """An image file to warm up with."""
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "JPEG")
    return buffer.getvalue()


def _open(data: bytes, max_pixels: int) -> Image.Image:
    if is_jpeg(data) and not has_bounded_head(data):
        raise InputFaultError(
            InputFault("image_undecodable", "image", "the image file's head has no reasonable end")
        )
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputFaultError(_too_many_pixels(max_pixels, None)) from error
    except _DECODER_ERRORS as error:
        raise InputFaultError(
            InputFault(
                code="image_type_unsupported",
                field="image",
                detail="the image is not a readable JPEG, PNG, WebP, GIF or BMP file",
            )
        ) from error
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise InputFaultError(_too_many_pixels(max_pixels, pixels))
    if image.format == "JPEG":
        _check_scans(count_scans(data), MAX_FULL_SCANS * max_pixels // max(1, pixels))
    return image


def _check_scans(scans: int, limit: int) -> None:
    if scans > limit:
        raise InputFaultError(
            InputFault(
                code="image_too_many_scans",
                field="image",
                detail=f"the JPEG file has more than {limit} scans; save it again",
                limit=limit,
                actual=scans,
            )
        )


def _too_many_pixels(limit: int, actual: int | None) -> InputFault:
    return InputFault(
        code="image_too_many_pixels",
        field="image",
        detail=f"the image has more than {limit} pixels; send a smaller one",
        limit=limit,
        actual=actual,
    )


def _damage(error: Exception) -> InputFault:
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return InputFault("image_truncated", "image", "the image file ends too early")
    return InputFault("image_undecodable", "image", "the image file is damaged")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _DECODER_ERRORS:
        return image  # a damaged EXIF block does not make the pixels unreadable


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow clips 16-bit grey at 255 instead of scaling it (Pillow issue 3011).
        grey = np.asarray(image).astype(np.uint32) >> 8
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, _WHITE)
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")


def _resize(image: Image.Image, preprocessing: ImagePreprocessing) -> Image.Image:
    resample = _RESAMPLING[preprocessing.resample]
    target = (preprocessing.width, preprocessing.height)
    if preprocessing.shortest_edge is None:
        size = _stretched_size(preprocessing)
    else:
        shorter = min(image.size)
        width, height = (preprocessing.shortest_edge * side // shorter for side in image.size)
        size = (width, height)
    resized = image if image.size == size else image.resize(size, resample)
    if size == target:
        return resized
    left, top = (
        _half(side - wanted, preprocessing.crop_rounding)
        for side, wanted in zip(size, target, strict=True)
    )
    # Beyond the border, where the crop is larger than the image, Pillow pads with black.
    return resized.crop((left, top, left + target[0], top + target[1]))


def _half(pixels: int, rounding: Literal["down", "even"]) -> int:
    return pixels // 2 if rounding == "down" else round(pixels / 2)


def _stretched_size(preprocessing: ImagePreprocessing) -> tuple[int, int]:
    """Width and height of a resize that does not keep proportions."""
    return (
        preprocessing.stretched_width or preprocessing.width,
        preprocessing.stretched_height or preprocessing.height,
    )
