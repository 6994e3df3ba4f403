"""Rows of a table to features: of a tuned encoder computed anew, of a frozen one read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.encoders.encoded import Encoded
from exporters.preprocessing.images import decode_image
from exporters.preprocessing.texts import groups_by_length
from exporters.training.features import Features
from exporters.training.sequence_files import zeros_on_disk
from exporters.training.sequences import HeldSequences, Sequences, StoredSequences

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
        frozen = self.frozen.take(rows)
        text = self._texts(rows) if TEXT in self.unfrozen else None
        image = self._images(rows) if IMAGE in self.unfrozen else None
        sequences = None
        if frozen.sequences is not None:
            tokens = frozen.sequences.text.read().to(device) if text is None else text.sequence
            cells = frozen.sequences.image.read().to(device) if image is None else image.sequence
            sequences = Sequences(HeldSequences(tokens), HeldSequences(cells))
        return Features(
            frozen.text.to(device) if text is None else text.pooled,
            frozen.image.to(device) if image is None else image.pooled,
            sequences,
        )

    def evaluated(self, rows: Tensor) -> Features:
        """Features of `rows` as they will be served, on the CPU; groups of similar length.

        Sequences are in half precision and on disk, as those of training are.
        """
        encoders = self.inputs
        lengths = [len(self.tokens[row]) for row in rows.tolist()]
        text = torch.empty(len(rows), encoders.text_encoder.dim)
        image = torch.empty(len(rows), encoders.image_encoder.dim)
        sequences = None
        if self.frozen.sequences is not None:
            # The frozen encoder's longest text is the tuned one's.
            sides = self.frozen.sequences.text, self.frozen.sequences.image
            all_tokens, all_cells = (zeros_on_disk((len(rows), *each.row_shape)) for each in sides)
            sequences = Sequences(
                StoredSequences.whole(all_tokens, is_ragged=True),
                StoredSequences.whole(all_cells, is_ragged=False),
            )
        with torch.inference_mode():
            for group in groups_by_length(lengths, _EVALUATED_ROWS):
                found = self.features(rows[group])
                text[group], image[group] = found.text.cpu(), found.image.cpu()
                if found.sequences is not None:
                    tokens, cells = found.sequences.read()
                    longest = max(lengths[row] for row in group)
                    all_tokens[group, :longest] = tokens[:, :longest].half().cpu().numpy()
                    all_cells[group] = cells.half().cpu().numpy()
        return Features(text, image, sequences)

    def _texts(self, rows: Tensor) -> Encoded:
        encoder, device = self.inputs.text_encoder, self.precision.device
        ids, mask = encoder.tokenizer.pad([self.tokens[row] for row in rows.tolist()])
        with self.precision.autocast():
            encoded = encoder.module.encode(
                torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
            )
        return Encoded(encoded.pooled.float(), encoded.sequence.float())

    def _images(self, rows: Tensor) -> Encoded:
        encoder, examples = self.inputs.image_encoder, self.inputs.table.examples
        pixels = [
            decode_image(examples[row].image.read_bytes(), encoder.preprocessing)
            for row in rows.tolist()
        ]
        batch = torch.from_numpy(np.stack(pixels)).to(self.precision.device)
        with self.precision.autocast():
            encoded = encoder.module.encode(batch)
        return Encoded(encoded.pooled.float(), encoded.sequence.float())
