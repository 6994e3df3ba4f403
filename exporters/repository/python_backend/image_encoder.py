"""Encoded image files to image features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from exporters.preprocessing.images import ImagePreprocessing, decode_image, small_jpeg
from exporters.repository.python_backend.encoder_step import EncodedRows, EncoderStep
from exporters.repository.python_backend.session import open_session, run_as_batch_work
from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Pixels = npt.NDArray[np.uint8]


class ImageRows:
    """Decodes, resizes and encodes images, `group_size` of them at a time."""

    input_name = tensors.IMAGE

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._session = open_session(folder / settings["graph"], settings["intra_op_threads"])
        self._preprocessing = ImagePreprocessing.from_fields(settings["preprocessing"])
        self._group_size: int = settings["group_size"]

    def preprocess(self, row: bytes) -> Pixels:
        """One image file to pixels, uint8 (height, width, 3)."""
        return decode_image(row, self._preprocessing)

    def encode(self, items: Sequence[Pixels]) -> EncodedRows:
        """Pixels to features and, where the graph gives them, cells."""
        groups = [
            self._session.run(None, {"pixels": np.stack(items[start : start + self._group_size])})
            for start in range(0, len(items), self._group_size)
        ]
        features, *cells = (np.concatenate(arrays) for arrays in zip(*groups, strict=True))
        return EncodedRows(features, *cells)


def load(folder: Path, settings: dict[str, Any]) -> EncoderStep[Pixels]:
    """Opens the graph, decodes and encodes once, so that the first caller does not pay for it."""
    run_as_batch_work()
    rows = ImageRows(folder, settings)
    rows.encode([rows.preprocess(small_jpeg())] * settings["group_size"])
    return EncoderStep(rows)
