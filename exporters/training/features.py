"""Features of frozen encoders, computed once and cached: an epoch on them takes milliseconds.

A cache file is named by what it was computed from (encoder, inputs in their order, this code), so a
stale one is never read. It is safetensors: reading it runs no code. What heads over tokens and
patches read is in the care of `sequences`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from exporters.atomic import atomic_file
from exporters.digests import digest_of_json, digest_of_source
from exporters.preprocessing.images import decode_image
from exporters.preprocessing.texts import groups_by_length
from exporters.progress import progress
from exporters.training.sequences import load_sequences
from exporters.training.threads import available_cpus, torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from exporters.data import ExampleTable
    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.heads import FusionHead
    from exporters.training.sequences import HeldSequences, Sequences
    from exporters.workspace import Workspace

_TEXT_BATCH: Final = 32
_IMAGE_BATCH: Final = 16
_CODE: Final = ("exporters.preprocessing", __name__)


@dataclass(frozen=True)
class Features:
    """What the encoders say of some examples, in the order of the examples.

    Attributes:
        text: shape (examples, text_dim), float32.
        image: shape (examples, image_dim), float32.
        sequences: the tokens and cells of the same examples; None where no head asks for them.
    """

    text: Tensor
    image: Tensor
    sequences: Sequences | HeldSequences | None = None

    def __len__(self) -> int:
        return len(self.text)

    def take(self, positions: Tensor) -> Features:
        """Returns the features at `positions`, shape (selected,), int64."""
        sequences = None if self.sequences is None else self.sequences.take(positions)
        return Features(self.text[positions], self.image[positions], sequences)

    def seen_by(self, head: FusionHead | type[FusionHead]) -> tuple[Tensor, Tensor]:
        """Returns what a head reads of text and image, in memory: take few rows of sequences."""
        if not head.is_over_sequences:
            return self.text, self.image
        assert self.sequences is not None  # noqa: S101  # `load_features` is told what heads read
        return self.sequences.read()


def load_features(
    table: ExampleTable,
    text_encoder: TextEncoder,
    image_encoder: ImageEncoder,
    workspace: Workspace,
    *,
    has_sequences: bool = False,
) -> Features:
    """Reads the features of a table's examples from the cache; computes what is not there.

    Args:
        table: the examples.
        text_encoder: encodes their texts.
        image_encoder: encodes their images.
        workspace: where the cache lies.
        has_sequences: whether a head reads tokens and cells too.

    Raises:
        SequencesTooLargeError: those would take too much disk.
    """
    code = digest_of_source(_CODE)
    image_digests = [example.image_digest for example in table.examples]
    text_key = digest_of_json([text_encoder.digest, table.texts, code])
    image_key = digest_of_json([image_encoder.digest, image_digests, code])
    images = [example.image for example in table.examples]
    with torch_threads(available_cpus()), torch.inference_mode():
        text = _cached(
            workspace.features_file("text", text_key),
            lambda: _encode_texts(text_encoder, table.texts),
        )
        image = _cached(
            workspace.features_file("image", image_key),
            lambda: _encode_images(image_encoder, images),
        )
        sequences = (
            load_sequences(table, text_encoder, image_encoder, workspace) if has_sequences else None
        )
    return Features(text, image, sequences)


def _cached(file: Path, compute: Callable[[], Tensor]) -> Tensor:
    if not file.is_file():
        computed = compute()
        with atomic_file(file) as path:
            save_file({"features": computed}, path)
    # Always from the file: a tensor made in inference mode could not be trained on.
    return load_file(file)["features"]


def _encode_texts(encoder: TextEncoder, texts: Sequence[str]) -> Tensor:
    tokens = encoder.tokenizer.tokenise(texts)
    features = torch.empty(len(texts), encoder.dim)
    encoder.module.eval()
    with progress(f"Text features ({encoder.name})", len(texts)) as advance:
        for rows in groups_by_length([len(ids) for ids in tokens], _TEXT_BATCH):
            ids, mask = encoder.tokenizer.pad([tokens[row] for row in rows])
            features[rows] = encoder.module(torch.from_numpy(ids), torch.from_numpy(mask))
            advance(len(rows))
    return features


def _encode_images(encoder: ImageEncoder, images: Sequence[Path]) -> Tensor:
    features = torch.empty(len(images), encoder.dim)
    encoder.module.eval()
    with progress(f"Image features ({encoder.name})", len(images)) as advance:
        for start in range(0, len(images), _IMAGE_BATCH):
            files = images[start : start + _IMAGE_BATCH]
            pixels = [decode_image(file.read_bytes(), encoder.preprocessing) for file in files]
            batch = torch.from_numpy(np.stack(pixels))  # (batch, height, width, 3)
            features[start : start + len(files)] = encoder.module(batch)
            advance(len(files))
    return features
