"""Small valid image files of every format and mode that the decoder takes a path of its own for."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from PIL import Image


@cache
def valid_images() -> dict[str, bytes]:
    """Files by name, each a few hundred bytes."""
    colour = Image.radial_gradient("L").resize((24, 16)).convert("RGB")
    grey = colour.convert("L")
    deep = Image.new("I;16", (24, 16), 40_000)
    see_through = colour.convert("RGBA")
    see_through.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by a quarter
    frames: dict[str, Any] = {"save_all": True, "append_images": [grey.convert("RGB")]}
    return {
        "jpeg": _saved(colour, "JPEG"),
        "jpeg-progressive": _saved(colour, "JPEG", progressive=True),
        "jpeg-grey": _saved(grey, "JPEG"),
        "jpeg-cmyk": _saved(colour.convert("CMYK"), "JPEG"),
        "jpeg-exif": _saved(colour, "JPEG", exif=exif),
        "png": _saved(colour, "PNG"),
        "png-bits": _saved(grey.convert("1"), "PNG"),
        "png-grey-alpha": _saved(see_through.convert("LA"), "PNG"),
        "png-alpha": _saved(see_through, "PNG"),
        "png-palette": _saved(colour.quantize(16), "PNG", transparency=3),
        "png-16-bit": _saved(deep, "PNG"),
        "png-animated": _saved(colour, "PNG", **frames),
        "webp": _saved(colour, "WEBP"),
        "webp-lossless": _saved(see_through, "WEBP", lossless=True),
        "webp-animated": _saved(colour, "WEBP", **frames),
        "gif": _saved(colour.quantize(16), "GIF", transparency=2),
        "gif-animated": _saved(colour, "GIF", **frames),
        "bmp": _saved(colour, "BMP"),
        "bmp-palette": _saved(colour.quantize(16), "BMP"),
    }


def _saved(image: Image.Image, image_format: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
