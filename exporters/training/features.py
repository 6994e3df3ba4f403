"""Features of frozen encoders, computed once and cached: an epoch on them takes milliseconds.

A cache file is named by what it was computed from (encoder, inputs in their order, this code), so a
stale one is never read. It is safetensors: reading it runs no code. Where a head reads tokens and
patches, one pass of an encoder fills the file of its sequences (`sequence_files`) too.
"""

from __future__ import annotations

from contextlib import ExitStack
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
from exporters.training.sequence_files import new_sequences, open_sequences
from exporters.training.sequences import Sequences
from exporters.training.threads import available_cpus, torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from exporters.data import ExampleTable
    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.encoders.encoded import Encoded
    from exporters.heads import FusionHead
    from exporters.workspace import Workspace

    Batches = Iterator[tuple[list[int], Encoded]]
    """Rows of the table, and what an encoder says of them."""

_TEXT_BATCH: Final = 32
_IMAGE_BATCH: Final = 16
_CODE: Final = ("exporters.preprocessing", __name__)
_CODE_OF_SEQUENCES: Final = (*_CODE, "exporters.training.sequence_files")


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
    sequences: Sequences | None = None

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
        SequencesTooLargeError: those of an encoder would take too much disk; it was not run.
        EncoderError: states of an encoder are beyond what half precision holds.
    """
    passes = (
        _text_pass(text_encoder, table, workspace),
        _image_pass(image_encoder, table, workspace),
    )
    with torch_threads(available_cpus()), torch.inference_mode():
        for each in passes:
            _compute_missing(each, has_sequences=has_sequences)
    # Always from the files: a tensor made in inference mode could not be trained on.
    text, image = (load_file(each.features_file)["features"] for each in passes)
    if not has_sequences:
        return Features(text, image)
    tokens, cells = (
        open_sequences(each.sequences_file, is_ragged=each.is_ragged) for each in passes
    )
    return Features(text, image, Sequences(tokens, cells))


@dataclass(frozen=True)
class _Pass:
    """One encoder over a table, and the files that it fills.

    Attributes:
        kind: `text` or `image`.
        encoder: its name.
        dim: width of a feature.
        sequences_shape: examples, longest sequence, width of a position.
        is_ragged: whether sequences have different lengths.
        features_file, sequences_file: the cache.
        batches: does it.
    """

    kind: str
    encoder: str
    dim: int
    sequences_shape: tuple[int, int, int]
    is_ragged: bool
    features_file: Path
    sequences_file: Path
    batches: Callable[[], Batches]


def _text_pass(encoder: TextEncoder, table: ExampleTable, workspace: Workspace) -> _Pass:
    tokens = encoder.tokenizer.tokenise(table.texts)
    lengths = [len(ids) for ids in tokens]

    def batches() -> Batches:
        encoder.module.eval()
        for rows in groups_by_length(lengths, _TEXT_BATCH):
            ids, mask = encoder.tokenizer.pad([tokens[row] for row in rows])
            yield rows, encoder.module.encode(torch.from_numpy(ids), torch.from_numpy(mask))

    named_by = [encoder.digest, table.texts]
    return _Pass(
        kind="text",
        encoder=encoder.name,
        dim=encoder.dim,
        sequences_shape=(len(tokens), max(lengths), encoder.token_dim),
        is_ragged=True,
        features_file=workspace.features_file("text", _key(named_by, _CODE)),
        sequences_file=workspace.sequences_file("text", _key(named_by, _CODE_OF_SEQUENCES)),
        batches=batches,
    )


def _image_pass(encoder: ImageEncoder, table: ExampleTable, workspace: Workspace) -> _Pass:
    images = [example.image for example in table.examples]

    def batches() -> Batches:
        encoder.module.eval()
        for start in range(0, len(images), _IMAGE_BATCH):
            files = images[start : start + _IMAGE_BATCH]
            pixels = [decode_image(file.read_bytes(), encoder.preprocessing) for file in files]
            batch = torch.from_numpy(np.stack(pixels))  # (batch, height, width, 3)
            yield list(range(start, start + len(files))), encoder.module.encode(batch)

    named_by = [encoder.digest, [example.image_digest for example in table.examples]]
    return _Pass(
        kind="image",
        encoder=encoder.name,
        dim=encoder.dim,
        sequences_shape=(len(images), encoder.cells, encoder.cell_dim),
        is_ragged=False,
        features_file=workspace.features_file("image", _key(named_by, _CODE)),
        sequences_file=workspace.sequences_file("image", _key(named_by, _CODE_OF_SEQUENCES)),
        batches=batches,
    )


def _key(named_by: Sequence[str | Sequence[str]], code: tuple[str, ...]) -> str:
    return digest_of_json([*named_by, digest_of_source(code)])


def _compute_missing(wanted: _Pass, *, has_sequences: bool) -> None:
    """Runs an encoder once for all of its files that are not there."""
    has_sequences = has_sequences and not wanted.sequences_file.is_file()
    if wanted.features_file.is_file() and not has_sequences:
        return
    what = "features and sequences" if has_sequences else "features"
    examples = wanted.sequences_shape[0]
    features = torch.empty(examples, wanted.dim)
    with ExitStack() as files:
        fill = None
        if has_sequences:
            file = files.enter_context(atomic_file(wanted.sequences_file))
            fill = files.enter_context(
                new_sequences(file, wanted.sequences_shape, wanted.kind, wanted.encoder)
            )
        advance = files.enter_context(
            progress(f"{wanted.kind.capitalize()} {what} ({wanted.encoder})", examples)
        )
        for rows, encoded in wanted.batches():
            features[rows] = encoded.pooled
            if fill is not None:
                fill(rows, encoded.sequence)
            advance(len(rows))
        with atomic_file(wanted.features_file) as file:
            save_file({"features": features}, file)
