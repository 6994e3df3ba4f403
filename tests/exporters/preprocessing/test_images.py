from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from exporters.preprocessing.errors import InputFaultError
from exporters.preprocessing.images import ImagePreprocessing, decode_image

PLAIN = ImagePreprocessing(
    height=32,
    width=48,
    shortest_edge=None,
    resample="bilinear",
    jpeg_decode="full",
    max_pixels=1_000_000,
)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:  # noqa: ANN401
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def half_red_half_blue(width: int = 96, height: int = 64) -> Image.Image:
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width // 2, height))
    return image


def fault_of(data: bytes, preprocessing: ImagePreprocessing = PLAIN) -> str:
    with pytest.raises(InputFaultError) as caught:
        decode_image(data, preprocessing)
    assert caught.value.fault.field == "image"
    return caught.value.fault.code


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_decode_image_of_each_format_gives_rgb_of_the_right_size(file_format: str) -> None:
    pixels = decode_image(encoded(half_red_half_blue(), file_format), PLAIN)

    assert pixels.shape == (32, 48, 3)
    assert pixels.dtype == np.uint8
    # Lossy formats blur chroma; the halves stay red and blue by a wide margin.
    assert pixels[16, 4, 0] > 200
    assert pixels[16, 4, 2] < 100
    assert pixels[16, 44, 2] > 200
    assert pixels[16, 44, 0] < 100


def test_decode_image_with_exif_rotation_turns_it_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90 degrees clockwise to view
    sideways = half_red_half_blue().rotate(90, expand=True)

    pixels = decode_image(encoded(sideways, "JPEG", exif=exif, quality=95), PLAIN)

    assert pixels[16, 4, 0] > 200
    assert pixels[16, 44, 2] > 200


def test_decode_image_with_broken_exif_still_decodes() -> None:
    data = encoded(half_red_half_blue(), "JPEG", exif=b"Exif\0\0not an IFD at all")

    assert decode_image(data, PLAIN)[16, 4, 0] > 200


def test_decode_image_of_cmyk_jpeg_gives_its_colours() -> None:
    cmyk = half_red_half_blue().convert("CMYK")

    pixels = decode_image(encoded(cmyk, "JPEG", quality=95), PLAIN)

    assert pixels[16, 4, 0] > 150 > pixels[16, 4, 2]


def test_decode_image_of_16_bit_grey_scales_instead_of_clipping() -> None:
    grey = np.full((32, 48), 0x4000, dtype=np.uint16)

    pixels = decode_image(encoded(Image.fromarray(grey), "PNG"), PLAIN)

    assert pixels.min() == pixels.max() == 0x40


def test_decode_image_with_alpha_lays_it_on_white() -> None:
    clear = Image.new("RGBA", (48, 32), (255, 0, 0, 0))

    assert decode_image(encoded(clear, "PNG"), PLAIN).min() == 255


def test_decode_image_of_palette_with_transparency_lays_it_on_white() -> None:
    palette = half_red_half_blue(48, 32).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    transparent = palette.getpixel((0, 0))

    pixels = decode_image(encoded(palette, "PNG", transparency=transparent), PLAIN)

    assert tuple(pixels[16, 4]) == (255, 255, 255)
    assert pixels[16, 44, 2] > 200 > pixels[16, 44, 0]


def test_decode_image_of_animation_takes_the_first_frame() -> None:
    frames = [Image.new("RGB", (48, 32), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert tuple(decode_image(data, PLAIN)[0, 0]) == (255, 0, 0)


def test_decode_image_with_shortest_edge_crops_the_centre() -> None:
    preprocessing = replace(PLAIN, height=32, width=32, shortest_edge=32)
    wide = Image.new("RGB", (300, 100), "blue")
    wide.paste("red", (100, 0, 200, 100))

    pixels = decode_image(encoded(wide, "PNG"), preprocessing)

    assert pixels.shape == (32, 32, 3)
    assert pixels[16, 16, 0] > 200
    assert pixels[16, 1:-1, 2].max() < 100


def test_decode_image_scaled_stays_close_to_full() -> None:
    gradient = np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None].repeat(480, 0).repeat(3, 2)
    data = encoded(Image.fromarray(gradient), "JPEG", quality=90)

    scaled = decode_image(data, replace(PLAIN, jpeg_decode="scaled")).astype(int)
    full = decode_image(data, PLAIN).astype(int)

    # A smooth picture has nothing to alias: only rounding of the two scalings is left.
    assert np.abs(scaled - full).max() <= 3


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_decode_image_cut_in_half_is_refused(file_format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), file_format)

    code = fault_of(data[: len(data) // 2])

    assert code in {"image_truncated", "image_undecodable", "image_type_unsupported"}


def test_decode_image_of_truncated_jpeg_says_so() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG")

    assert fault_of(data[:-100]) == "image_truncated"


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7\n", b"\xff\xd8\xff", b"GIF89a"])
def test_decode_image_of_something_else_is_refused(data: bytes) -> None:
    assert fault_of(data) == "image_type_unsupported"


def test_decode_image_of_unlisted_format_is_refused() -> None:
    assert fault_of(encoded(half_red_half_blue(), "TIFF")) == "image_type_unsupported"


@pytest.mark.parametrize(("width", "height"), [(1_000, 1_001), (50_000, 50_000)])
def test_decode_image_above_the_pixel_limit_is_refused_undecoded(width: int, height: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")

    assert fault_of(bomb) == "image_too_many_pixels"


def test_decode_image_of_random_damage_never_raises_anything_else() -> None:
    rng = np.random.default_rng(7)
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        sound = np.frombuffer(encoded(half_red_half_blue(), file_format), dtype=np.uint8)
        for _ in range(60):
            damaged = sound.copy()
            places = rng.integers(0, len(damaged), 8)
            damaged[places] = rng.integers(0, 256, 8)
            with suppress(InputFaultError):
                assert decode_image(damaged.tobytes(), PLAIN).shape == (32, 48, 3)
