"""Encoded image files to the pixels of an image encoder that Triton runs itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from exporters.preprocessing.images import ImagePreprocessing, decode_image, small_jpeg
from exporters.repository.python_backend.preprocess_step import PreprocessStep
from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PIXELS = "PIXELS"

Pixels = npt.NDArray[np.uint8]


class DecodedRows:
    """Decodes and resizes images."""

    input_name = tensors.IMAGE

    def __init__(self, settings: dict[str, Any]) -> None:
        self._preprocessing = ImagePreprocessing.from_fields(settings["preprocessing"])

    def preprocess(self, row: bytes) -> Pixels:
        """One image file to pixels, uint8 (height, width, 3)."""
        return decode_image(row, self._preprocessing)

    def stack(self, items: Sequence[Pixels]) -> dict[str, npt.NDArray[Any]]:
        """Pixels, uint8 (images, height, width, 3)."""
        return {PIXELS: np.stack(items)}


def load(folder: Path, settings: dict[str, Any]) -> PreprocessStep[Pixels]:
    """Decodes once, so that the first caller does not pay for it."""
    rows = DecodedRows(settings)
    rows.stack([rows.preprocess(small_jpeg())])
    return PreprocessStep(rows)
