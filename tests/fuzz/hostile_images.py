"""The corpus: image files that were built to hurt, each with the code of the answer it must get."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Final

from PIL import Image

from tests.fuzz.images import valid_images

_PNG: Final = b"\x89PNG\r\n\x1a\n"
READABLE: Final = "ok"
"""Stands for an image that is odd and still an image."""


@cache
def hostile_images() -> dict[str, tuple[bytes, str]]:
    """Files by name, with the code of the fault they are, or `READABLE`."""
    valid = valid_images()
    unsupported, bomb = "image_type_unsupported", "image_too_many_pixels"
    return {
        "png-of-2-gigapixels": (_png(50_000, 40_000, b""), bomb),
        "png-of-zero-width": (_png(0, 10, b""), unsupported),
        "png-without-data": (_png(10, 10, b""), "image_truncated"),
        "png-with-too-little-data": (_png(100, 100, zlib.compress(b"\0" * 50)), "image_truncated"),
        "png-with-text-bombs": (_png_with(b"zTXt", 80), unsupported),
        "png-with-profile-bombs": (_png_with(b"iCCP", 20), READABLE),
        "jpeg-of-4-gigapixels": (_jpeg_of_size(65_535, 65_535), bomb),
        "jpeg-with-1000-scans": (_jpeg_with_scans(1000), "image_too_many_scans"),
        "jpeg-with-exif-segments": (
            b"\xff\xd8" + b"\xff\xe1\x00\x0aExif\0\0xx" * 50_000 + valid["jpeg"][2:],
            "image_undecodable",
        ),
        "jpeg-with-a-megabyte-of-padding": (
            b"\xff\xd8" + b"\xff" * 1_000_000 + valid["jpeg"][2:],
            "image_undecodable",
        ),
        "jpeg-of-its-head-alone": (valid["jpeg"][:200], unsupported),
        "jpeg-cut-near-its-end": (valid["jpeg"][:-40], "image_truncated"),
        "jpeg-then-a-zip-archive": (valid["jpeg"] + b"PK\x03\x04" + b"\0" * 100, READABLE),
        "gif-of-4-gigapixels": (b"GIF89a\xff\xff\xff\xff" + valid["gif"][10:], bomb),
        "gif-of-its-head-alone": (valid["gif"][:13], unsupported),
        "webp-of-268-megapixels": (_webp_of_size(16_383, 16_383), bomb),
        "webp-cut-in-half": (valid["webp"][: len(valid["webp"]) // 2], unsupported),
        "bmp-of-4-gigapixels": (_bmp_of_size(65_535, 65_535), bomb),
        "bmp-of-negative-width": (_bmp_of_size(-10, 10), bomb),
        "tiff": (_saved("TIFF"), unsupported),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", unsupported),
        "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', unsupported),
        "pdf": (b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF", unsupported),
        "html": (b"<html><script>alert(1)</script></html>", unsupported),
        "zeros": (bytes(1000), unsupported),
        "one-byte": (b"\xff", unsupported),
    }


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _png(width: int, height: int, data: bytes, extra: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return _PNG + _chunk(b"IHDR", head) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _png_with(kind: bytes, count: int) -> bytes:
    """Each chunk unpacks to 0.9 MB."""
    bomb = _chunk(kind, b"name\0\0" + zlib.compress(b"a" * 900_000, 9))
    return _png(16, 16, zlib.compress(b"\0" * (17 * 16)), bomb * count)


def _jpeg_of_size(width: int, height: int) -> bytes:
    data = valid_images()["jpeg"]
    at = data.index(b"\xff\xc0") + 5  # marker, length, precision; then height and width
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def _jpeg_with_scans(count: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4000, 4000), 128).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * count + data[-2:]


def _webp_of_size(width: int, height: int) -> bytes:
    data = valid_images()["webp"]
    at = data.index(b"\x9d\x01\x2a") + 3  # start code of a key frame; then width and height
    return data[:at] + struct.pack("<HH", width, height) + data[at + 4 :]


def _bmp_of_size(width: int, height: int) -> bytes:
    data = valid_images()["bmp"]
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def _saved(image_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, image_format)
    return buffer.getvalue()
