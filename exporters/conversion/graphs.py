"""The graphs of a variant: text encoder, image encoder and a head for each modality set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from exporters.conversion.onnx_export import GraphSignature, export_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from exporters.encoders import ImageEncoder, TextEncoder

INPUT_IDS: Final = "input_ids"
ATTENTION_MASK: Final = "attention_mask"
PIXELS: Final = "pixels"
FEATURES: Final = "features"
TEXT_FEATURES: Final = "text_features"
IMAGE_FEATURES: Final = "image_features"
LOGITS: Final = "logits"
EMBEDDING: Final = "embedding"

_BATCH: Final = {0: "batch"}
_BATCH_OF_TOKENS: Final = {0: "batch", 1: "tokens"}


def export_text_encoder(encoder: TextEncoder, path: Path) -> None:
    """Writes (input_ids, attention_mask), int64 (batch, tokens), to features (batch, dim).

    Raises:
        ConversionError: the graph is not the encoder.
    """

    def batch(*texts: str) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask = encoder.tokenizer.encode_batch(texts)
        return torch.from_numpy(ids), torch.from_numpy(mask)

    signature = GraphSignature(
        inputs={INPUT_IDS: _BATCH_OF_TOKENS, ATTENTION_MASK: _BATCH_OF_TOKENS},
        output=FEATURES,
        output_axes=_BATCH,
    )
    export_graph(
        encoder.module,
        signature,
        traced_with=batch("one sentence to trace with", "and a shorter one"),
        proved_with=batch("short", "a much longer sentence " * 8, "and a third of another length"),
        path=path,
    )


def export_image_encoder(encoder: ImageEncoder, path: Path) -> None:
    """Writes RGB pixels, uint8 (batch, height, width, 3), to features (batch, dim).

    Raises:
        ConversionError: the graph is not the encoder.
    """
    size = (encoder.preprocessing.height, encoder.preprocessing.width, 3)
    noise = torch.Generator().manual_seed(0)

    def batch(images: int) -> tuple[torch.Tensor]:
        return (torch.randint(0, 256, (images, *size), dtype=torch.uint8, generator=noise),)

    signature = GraphSignature(inputs={PIXELS: _BATCH}, output=FEATURES, output_axes=_BATCH)
    export_graph(encoder.module, signature, batch(2), batch(3), path)


def export_head(
    head: nn.Module, feature_dims: Mapping[str, int], path: Path, output: str = LOGITS
) -> None:
    """Writes a head of one modality set: features, float32 (batch, dim), to logits (batch, labels).

    Args:
        head: takes the features in the order of `feature_dims`.
        feature_dims: input name (`TEXT_FEATURES`, `IMAGE_FEATURES`) to its width.
        path: the file to write.
        output: name of what it gives, (batch, width).

    Raises:
        ConversionError: the graph is not the head.
    """
    noise = torch.Generator().manual_seed(0)

    def batch(rows: int) -> tuple[torch.Tensor, ...]:
        return tuple(torch.randn(rows, dim, generator=noise) for dim in feature_dims.values())

    signature = GraphSignature(
        inputs=dict.fromkeys(feature_dims, _BATCH), output=output, output_axes=_BATCH
    )
    export_graph(head, signature, batch(2), batch(5), path)
