"""The graphs of a variant: text encoder, image encoder and a head for each modality set.

An encoder's graph gives its pooled feature; one whose sequence a head asks for gives that too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from exporters.conversion.onnx_export import GraphSignature, export_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.encoders.encoded import Encoded
    from exporters.encoders.image import NormalisedImageModel
    from exporters.encoders.text import PooledTextModel

    FeatureShape = tuple[int, ...]
    """What a head takes of one modality, without the batch axis; -1 for a length that varies."""

INPUT_IDS: Final = "input_ids"
ATTENTION_MASK: Final = "attention_mask"
PIXELS: Final = "pixels"
FEATURES: Final = "features"
SEQUENCE: Final = "sequence"
TEXT_FEATURES: Final = "text_features"
IMAGE_FEATURES: Final = "image_features"
TEXT_SEQUENCE: Final = "text_sequence"
IMAGE_SEQUENCE: Final = "image_sequence"
LOGITS: Final = "logits"
EMBEDDING: Final = "embedding"

_BATCH: Final = {0: "batch"}
_BATCH_OF_TOKENS: Final = {0: "batch", 1: "tokens"}
_VARIES: Final = -1


def export_text_encoder(encoder: TextEncoder, path: Path, *, has_sequence: bool = False) -> None:
    """Writes (input_ids, attention_mask), int64 (batch, tokens), to features (batch, dim).

    With `has_sequence` also to the sequence (batch, tokens, token_dim); padding is zero.

    Raises:
        ConversionError: the graph is not the encoder.
    """

    def batch(*texts: str) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask = encoder.tokenizer.encode_batch(texts)
        return torch.from_numpy(ids), torch.from_numpy(mask)

    signature = GraphSignature(
        inputs={INPUT_IDS: _BATCH_OF_TOKENS, ATTENTION_MASK: _BATCH_OF_TOKENS},
        outputs=_encoder_outputs(_BATCH_OF_TOKENS, has_sequence=has_sequence),
    )
    export_graph(
        _BothViews(encoder.module).eval() if has_sequence else encoder.module,
        signature,
        traced_with=batch("one sentence to trace with", "and a shorter one"),
        proved_with=batch("short", "a much longer sentence " * 8, "and a third of another length"),
        path=path,
    )


def export_image_encoder(encoder: ImageEncoder, path: Path, *, has_sequence: bool = False) -> None:
    """Writes RGB pixels, uint8 (batch, height, width, 3), to features (batch, dim).

    With `has_sequence` also to the sequence (batch, cells, cell_dim).

    Raises:
        ConversionError: the graph is not the encoder.
    """
    size = (encoder.preprocessing.height, encoder.preprocessing.width, 3)
    noise = torch.Generator().manual_seed(0)

    def batch(images: int) -> tuple[torch.Tensor]:
        return (torch.randint(0, 256, (images, *size), dtype=torch.uint8, generator=noise),)

    signature = GraphSignature(
        inputs={PIXELS: _BATCH}, outputs=_encoder_outputs(_BATCH, has_sequence=has_sequence)
    )
    module = _BothViews(encoder.module).eval() if has_sequence else encoder.module
    export_graph(module, signature, batch(2), batch(3), path)


def export_head(
    head: nn.Module, features: Mapping[str, FeatureShape], path: Path, output: str = LOGITS
) -> None:
    """Writes a head of one modality set: features, float32 (batch, dim), to logits (batch, labels).

    A head over sequences takes (batch, length, dim), padded with zeros.

    Args:
        head: takes the features in the order of `features`.
        features: input name (`TEXT_FEATURES`, ..., `IMAGE_SEQUENCE`) to its shape.
        path: the file to write.
        output: name of what it gives, (batch, width).

    Raises:
        ConversionError: the graph is not the head.
    """
    noise = torch.Generator().manual_seed(0)

    def batch(rows: int, length: int) -> tuple[torch.Tensor, ...]:
        tensors = []
        for shape in features.values():
            sizes = [length if size == _VARIES else size for size in shape]
            tensors.append(torch.randn(rows, *sizes, generator=noise))
            if _VARIES in shape:
                tensors[-1][0, length // 2 :] = 0.0  # a row that is padded
        return tuple(tensors)

    signature = GraphSignature(
        inputs={
            name: _BATCH_OF_TOKENS if _VARIES in shape else _BATCH
            for name, shape in features.items()
        },
        outputs={output: _BATCH},
    )
    export_graph(head, signature, batch(2, 6), batch(5, 9), path)


class _BothViews(torch.nn.Module):
    """An encoder that gives what it pools from, too."""

    def __init__(self, module: PooledTextModel | NormalisedImageModel) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> Encoded:
        """Takes what the encoder takes; see `Encoded`."""
        return self.module.encode(*inputs)


def _encoder_outputs(
    sequence: Mapping[int, str], *, has_sequence: bool
) -> dict[str, Mapping[int, str]]:
    return {FEATURES: _BATCH, SEQUENCE: sequence} if has_sequence else {FEATURES: _BATCH}
