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
from exporters.errors import SequenceHeadError
from exporters.preprocessing.images import decode_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from exporters.encoders.image import NormalisedImageModel
    from exporters.encoders.text import PooledTextModel
    from exporters.training import TrainedVariant

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

    @abstractmethod
    def feeds(self, rows: Sequence[int]) -> Feeds:
        """A batch of examples, by their positions in the table, as the graph's inputs."""

    @abstractmethod
    def export(self, module: nn.Module, path: Path) -> None:
        """Writes a module of the same inputs and output as ONNX.

        Raises:
            ConversionError: the graph is not the module.
        """

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

    def feeds(self, rows: Sequence[int]) -> Feeds:
        """Token ids and mask, both int64 (batch, tokens), padded to the longest."""
        texts = [self.variant.table.examples[row].text for row in rows]
        ids, mask = self.variant.text_encoder.tokenizer.encode_batch(texts)
        return {INPUT_IDS: ids, ATTENTION_MASK: mask}

    def export(self, module: nn.Module, path: Path) -> None:
        """Writes a module of the same inputs and output as ONNX."""
        export_text_encoder(
            replace(self.variant.text_encoder, module=cast("PooledTextModel", module)), path
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

    def feeds(self, rows: Sequence[int]) -> Feeds:
        """Pixels, uint8 (batch, height, width, 3)."""
        preprocessing = self.variant.image_encoder.preprocessing
        files = [self.variant.table.examples[row].image for row in rows]
        return {PIXELS: np.stack([decode_image(f.read_bytes(), preprocessing) for f in files])}

    def export(self, module: nn.Module, path: Path) -> None:
        """Writes a module of the same inputs and output as ONNX."""
        export_image_encoder(
            replace(self.variant.image_encoder, module=cast("NormalisedImageModel", module)), path
        )


def sides_of(variant: TrainedVariant) -> tuple[EncoderSide, EncoderSide]:
    """Both encoders of a variant, the text's first.

    Raises:
        SequenceHeadError: its head reads more of them than features.
    """
    if variant.has_sequences:
        raise SequenceHeadError(variant.recipe.head.type, "compression")
    return TextSide(variant), ImageSide(variant)
