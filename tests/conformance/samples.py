"""The raw input of every comparison: JPEG files and texts."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

TEXTS = (
    "red",
    "the red square",
    "The RED square!",
    "a, b, c. 1 2 3?",
    "naïve Zoë, 漢字 and 🙂",
    "  spaces   and\ttabs ",
    "redness of the square, " * 3,
    # Longer than any family's positions: it is cut.
    "the red square is not the redness of the square " * 20,
)

_SIZES = ((640, 480), (480, 640), (333, 200), (120, 517), (64, 48), (97, 97), (1024, 300), (30, 30))


def jpeg_files() -> tuple[bytes, ...]:
    """Files wide and tall, large and smaller than what any encoder takes; one of them is grey."""
    rng = np.random.default_rng(11)
    files = []
    for index, (width, height) in enumerate(_SIZES):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noise = rng.integers(-20, 21, smooth.shape, dtype=np.int16)
        image = Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))
        file = io.BytesIO()
        (image.convert("L") if index == 1 else image).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return tuple(files)
