"""Rows of a table to features: of a tuned encoder computed anew, of a frozen one read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.preprocessing.images import decode_image
from exporters.preprocessing.texts import groups_by_length
from exporters.training.features import Features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from exporters.training.finetuning.layers import Unfrozen
    from exporters.training.finetuning.precision import MixedPrecision
    from exporters.training.variant import TrainingInputs

TEXT: Final = "text"
IMAGE: Final = "image"

_EVALUATED_ROWS: Final = 32


@dataclass(frozen=True)
class Batches:
    """Features of any rows, with gradients when they are wanted.

    Attributes:
        inputs: table and encoders; those that are tuned are on the device.
        tokens: token ids of each text, unpadded.
        frozen: features of the frozen encoders, which stand for an encoder that is not tuned.
        unfrozen: what is trained of each tuned encoder, by TEXT and IMAGE.
        precision: device and precision.
    """

    inputs: TrainingInputs
    tokens: Sequence[Sequence[int]]
    frozen: Features
    unfrozen: Mapping[str, Unfrozen]
    precision: MixedPrecision

    def features(self, rows: Tensor) -> Features:
        """Features of `rows`, int64 (rows,): float32 on the device, with gradients if enabled."""
        device = self.precision.device
        text = self._texts(rows) if TEXT in self.unfrozen else self.frozen.text[rows].to(device)
        image = self._images(rows) if IMAGE in self.unfrozen else self.frozen.image[rows].to(device)
        return Features(text, image)

    def evaluated(self, rows: Tensor) -> Features:
        """Features of `rows` as they will be served, on the CPU; groups of similar length."""
        lengths = [len(self.tokens[row]) for row in rows.tolist()]
        text = torch.empty(len(rows), self.inputs.text_encoder.dim)
        image = torch.empty(len(rows), self.inputs.image_encoder.dim)
        with torch.inference_mode():
            for group in groups_by_length(lengths, _EVALUATED_ROWS):
                found = self.features(rows[group])
                text[group], image[group] = found.text.cpu(), found.image.cpu()
        return Features(text, image)

    def _texts(self, rows: Tensor) -> Tensor:
        encoder, device = self.inputs.text_encoder, self.precision.device
        ids, mask = encoder.tokenizer.pad([self.tokens[row] for row in rows.tolist()])
        with self.precision.autocast():
            pooled: Tensor = encoder.module(
                torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
            )
        return pooled.float()

    def _images(self, rows: Tensor) -> Tensor:
        encoder, examples = self.inputs.image_encoder, self.inputs.table.examples
        pixels = [
            decode_image(examples[row].image.read_bytes(), encoder.preprocessing)
            for row in rows.tolist()
        ]
        batch = torch.from_numpy(np.stack(pixels)).to(self.precision.device)
        with self.precision.autocast():
            pooled: Tensor = encoder.module(batch)
        return pooled.float()
