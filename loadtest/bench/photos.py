"""JPEG photos of 640x480 pixels and 40 to 80 KB, as people upload them.

They are crops of the sample photos that scikit-learn and scikit-image carry in their packages, so
nothing is fetched. The same seed gives the same photos.
"""

from __future__ import annotations

import io
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from loadtest.bench.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH_PX: Final = 640
HEIGHT_PX: Final = 480
MIN_BYTES: Final = 40_000
MAX_BYTES: Final = 80_000

_SOURCES: Final = (
    ("sklearn.datasets.images", "china.jpg"),
    ("sklearn.datasets.images", "flower.jpg"),
    ("skimage.data", "astronaut.png"),
    ("skimage.data", "chelsea.png"),
    ("skimage.data", "coffee.png"),
    ("skimage.data", "hubble_deep_field.jpg"),
    ("skimage.data", "ihc.png"),
    ("skimage.data", "motorcycle_left.png"),
    ("skimage.data", "retina.jpg"),
    ("skimage.data", "rocket.jpg"),
)
_QUALITIES: Final = (95, 92, 90, 85, 80, 75, 70, 60)
_SMALLEST_CROP_RATIO: Final = 0.7
_MAX_DRAWS_PER_PHOTO: Final = 20


def jpeg_photos(count: int, seed: int) -> list[bytes]:
    """Cuts distinct photos, each source in its turn.

    Args:
        count: how many.
        seed: of the crops.

    Raises:
        CorpusError: a package does not carry its samples, or they are too plain for the size.
    """
    draws = _crops(np.random.default_rng(seed))
    photos: dict[bytes, None] = {}
    for _ in range(count * _MAX_DRAWS_PER_PHOTO):
        photo = _encode(next(draws))
        if photo is not None:
            photos[photo] = None
        if len(photos) == count:
            return list(photos)
    raise CorpusError(
        f"only {len(photos)} of {count} crops are JPEG files of {MIN_BYTES} to {MAX_BYTES} bytes"
    )


def _crops(rng: np.random.Generator) -> Iterator[Image.Image]:
    sources = [_open(package, name) for package, name in _SOURCES]
    while True:
        for source in sources:
            largest = min(source.width, source.height * WIDTH_PX // HEIGHT_PX)
            width = int(largest * rng.uniform(_SMALLEST_CROP_RATIO, 1.0))
            height = width * HEIGHT_PX // WIDTH_PX
            left = int(rng.integers(0, source.width - width + 1))
            top = int(rng.integers(0, source.height - height + 1))
            crop = source.crop((left, top, left + width, top + height))
            yield crop.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)


def _open(package: str, name: str) -> Image.Image:
    try:
        data = files(package).joinpath(name).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        distribution = "scikit-learn" if package.startswith("sklearn") else "scikit-image"
        raise CorpusError(
            f"{distribution} with its sample photo {name} is not installed; run `make venv`"
        ) from error
    return Image.open(io.BytesIO(data)).convert("RGB")


def _encode(photo: Image.Image) -> bytes | None:
    """Returns the best JPEG that is small enough; None when even that is too small to count."""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_BYTES:
            return buffer.getvalue() if buffer.tell() >= MIN_BYTES else None
    return None
