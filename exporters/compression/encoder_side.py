"""One encoder of a variant, with the inputs that belong to it: what a method works on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from exporters.compression.side import Side
from exporters.conversion.graphs import (
    ATTENTION_MASK,
    INPUT_IDS,
    PIXELS,
    export_image_encoder,
    export_text_encoder,
)
from exporters.preprocessing.images import decode_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from exporters.encoders.encoded import Encoded
    from exporters.encoders.image import NormalisedImageModel
    from exporters.encoders.text import PooledTextModel
    from exporters.training import TrainedVariant
    from exporters.training.sequences import SideSequences

    Feeds = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class EncoderSide(ABC):
    """One encoder of a trained variant.

    Attributes:
        variant: the variant, uncompressed.
    """

    variant: TrainedVariant

    @property
    @abstractmethod
    def side(self) -> Side:
        """Which encoder it is."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of the original encoder."""

    @property
    @abstractmethod
    def module(self) -> nn.Module:
        """The original encoder."""

    @property
    @abstractmethod
    def features(self) -> Tensor:
        """What the original says of all examples, float32 (examples, dim)."""

    @property
    @abstractmethod
    def sequences(self) -> SideSequences | None:
        """Its tokens or cells of all examples; None where the head reads none."""

    @property
    @abstractmethod
    def sequence_shape(self) -> tuple[int, int]:
        """The longest sequence of all examples, and the width of a position."""

    @abstractmethod
    def feeds(self, rows: Sequence[int]) -> Feeds:
        """A batch of examples, by their positions in the table, as the graph's inputs."""

    @abstractmethod
    def export(self, module: nn.Module, path: Path) -> None:
        """Writes a module of the same inputs and outputs as ONNX.

        Raises:
            ConversionError: the graph is not the module.
        """

    def encode(self, module: nn.Module, rows: Sequence[int]) -> Encoded:
        """What a module of the same inputs and outputs says of a batch of examples."""
        encoded: Encoded = cast("PooledTextModel", module).encode(*self.tensors(rows))
        return encoded

    def taught(self, rows: Sequence[int]) -> Tensor:
        """What the head reads of the original: features (rows, dim), or (rows, length, dim)."""
        if self.sequences is None:
            return self.features[list(rows)]
        return self.sequences.take(torch.tensor(rows)).read()

    def tensors(self, rows: Sequence[int]) -> tuple[Tensor, ...]:
        """A batch of examples as the module's inputs."""
        return tuple(torch.from_numpy(each) for each in self.feeds(rows).values())

    def calibration_rows(self, count: int) -> list[int]:
        """At most `count` examples of the training split, spread over it."""
        rows = self.variant.split.train
        return [int(row) for row in rows[:: max(1, len(rows) // count)][:count]]


class TextSide(EncoderSide):
    """The text encoder."""

    side = Side.TEXT

    @property
    def digest(self) -> str:
        """SHA-256 of the original encoder."""
        return self.variant.text_encoder.digest

    @property
    def module(self) -> nn.Module:
        """The original encoder."""
        return self.variant.text_encoder.module

    @property
    def features(self) -> Tensor:
        """What the original says of all examples, float32 (examples, dim)."""
        return self.variant.features.text

    @property
    def sequences(self) -> SideSequences | None:
        """Its tokens of all examples; None where the head reads none."""
        sequences = self.variant.features.sequences
        return sequences.text if sequences and self.variant.has_sequences else None

    @property
    def sequence_shape(self) -> tuple[int, int]:
        """Tokens of the longest text, and the width of a token."""
        encoder = self.variant.text_encoder
        longest = max(map(len, encoder.tokenizer.tokenise(self.variant.table.texts)))
        return longest, encoder.token_dim

    def feeds(self, rows: Sequence[int]) -> Feeds:
        """Token ids and mask, both int64 (batch, tokens), padded to the longest."""
        texts = [self.variant.table.examples[row].text for row in rows]
        ids, mask = self.variant.text_encoder.tokenizer.encode_batch(texts)
        return {INPUT_IDS: ids, ATTENTION_MASK: mask}

    def export(self, module: nn.Module, path: Path) -> None:
        """Writes a module of the same inputs and outputs as ONNX."""
        export_text_encoder(
            replace(self.variant.text_encoder, module=cast("PooledTextModel", module)),
            path,
            has_sequence=self.variant.has_sequences,
        )


class ImageSide(EncoderSide):
    """The image encoder."""

    side = Side.IMAGE

    @property
    def digest(self) -> str:
        """SHA-256 of the original encoder."""
        return self.variant.image_encoder.digest

    @property
    def module(self) -> nn.Module:
        """The original encoder."""
        return self.variant.image_encoder.module

    @property
    def features(self) -> Tensor:
        """What the original says of all examples, float32 (examples, dim)."""
        return self.variant.features.image

    @property
    def sequences(self) -> SideSequences | None:
        """Its patches or cells of all examples; None where the head reads none."""
        sequences = self.variant.features.sequences
        return sequences.image if sequences and self.variant.has_sequences else None

    @property
    def sequence_shape(self) -> tuple[int, int]:
        """Patches or cells of an image, and the width of one."""
        return self.variant.image_encoder.cells, self.variant.image_encoder.cell_dim

    def feeds(self, rows: Sequence[int]) -> Feeds:
        """Pixels, uint8 (batch, height, width, 3)."""
        preprocessing = self.variant.image_encoder.preprocessing
        files = [self.variant.table.examples[row].image for row in rows]
        return {PIXELS: np.stack([decode_image(f.read_bytes(), preprocessing) for f in files])}

    def export(self, module: nn.Module, path: Path) -> None:
        """Writes a module of the same inputs and outputs as ONNX."""
        export_image_encoder(
            replace(self.variant.image_encoder, module=cast("NormalisedImageModel", module)),
            path,
            has_sequence=self.variant.has_sequences,
        )


def sides_of(variant: TrainedVariant) -> tuple[EncoderSide, EncoderSide]:
    """Both encoders of a variant, the text's first."""
    return TextSide(variant), ImageSide(variant)
