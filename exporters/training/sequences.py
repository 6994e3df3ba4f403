"""Tokens and grid cells of frozen encoders, computed once and read a batch at a time.

A thousand images are 49,000 cells: the file is half precision and mapped into memory, so that what
is not looked at is not read, and training needs a batch's worth of memory however many examples
there are. It is NumPy's own format, opened with pickles refused.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.atomic import atomic_file
from exporters.digests import digest_of_json, digest_of_source
from exporters.errors import EncoderError, SequencesTooLargeError
from exporters.preprocessing.images import decode_image
from exporters.preprocessing.texts import groups_by_length
from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from exporters.data import ExampleTable
    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.workspace import Workspace

    Stored = NDArray[np.float16]
    Batches = Iterable[tuple[list[int], Tensor]]
    """Rows of the table, and their sequences (rows, length, dim), float32."""

_TEXT_BATCH: Final = 32
_IMAGE_BATCH: Final = 16
_GIB: Final = 2**30
_LARGEST_GIB: Final = 16.0
_CODE: Final = ("exporters.preprocessing", __name__)


@dataclass(frozen=True)
class Sequences:
    """Sequences of some examples, on disk until `read`.

    Attributes:
        text: tokens of all examples of the table, float16 (examples, tokens, token_dim).
        image: their cells, float16 (examples, cells, cell_dim).
        positions: which examples, in their order, int64 (selected,).
    """

    text: Stored
    image: Stored
    positions: Tensor

    def take(self, positions: Tensor) -> Sequences:
        """Returns those at `positions` among these, shape (selected,), int64; reads nothing."""
        return replace(self, positions=self.positions[positions])

    def read(self) -> tuple[Tensor, Tensor]:
        """Reads tokens and cells, float32; texts are cut to the longest of these examples."""
        rows = self.positions.numpy()
        text = torch.from_numpy(self.text[rows])  # (selected, tokens, token_dim)
        tokens = int((text != 0).any(dim=-1).sum(dim=1).max()) if len(rows) else 0
        return text[:, :tokens].float(), torch.from_numpy(self.image[rows]).float()


@dataclass(frozen=True)
class HeldSequences:
    """Sequences of some examples in memory, as a tuned encoder gave them: with gradients.

    Attributes:
        text: tokens, float32 (examples, tokens, token_dim).
        image: cells, float32 (examples, cells, cell_dim).
    """

    text: Tensor
    image: Tensor

    def take(self, positions: Tensor) -> HeldSequences:
        """Returns those at `positions`, shape (selected,), int64."""
        return HeldSequences(self.text[positions], self.image[positions])

    def read(self) -> tuple[Tensor, Tensor]:
        """Returns tokens and cells."""
        return self.text, self.image


def zeros_on_disk(shape: tuple[int, ...]) -> Stored:
    """Returns float16 zeros in a file without a name, which is gone with the array."""
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float16, "w+", shape=shape)


def load_sequences(
    table: ExampleTable,
    text_encoder: TextEncoder,
    image_encoder: ImageEncoder,
    workspace: Workspace,
) -> Sequences:
    """Reads the sequences of a table's examples from the cache; computes what is not there.

    Raises:
        SequencesTooLargeError: a file would be larger than 16 GiB; nothing was computed.
        EncoderError: states of an encoder are beyond what half precision holds.
    """
    code = digest_of_source(_CODE)
    text = _stored(
        workspace.sequences_file("text", digest_of_json([text_encoder.digest, table.texts, code])),
        lambda file: _write_texts(text_encoder, table, file),
    )
    digests = [example.image_digest for example in table.examples]
    image = _stored(
        workspace.sequences_file("image", digest_of_json([image_encoder.digest, digests, code])),
        lambda file: _write_images(image_encoder, table, file),
    )
    return Sequences(text, image, torch.arange(len(table)))


def _stored(file: Path, write: Callable[[Path], None]) -> Stored:
    if not file.is_file():
        with atomic_file(file) as path:
            write(path)
    # Copy on write: torch takes no array that it may not write to, and nothing here writes.
    stored: Stored = np.load(file, mmap_mode="c", allow_pickle=False)
    return stored


def _write_texts(encoder: TextEncoder, table: ExampleTable, file: Path) -> None:
    tokens = encoder.tokenizer.tokenise(table.texts)
    lengths = [len(ids) for ids in tokens]

    def batches() -> Batches:
        for rows in groups_by_length(lengths, _TEXT_BATCH):
            ids, mask = encoder.tokenizer.pad([tokens[row] for row in rows])
            states = encoder.module.encode(torch.from_numpy(ids), torch.from_numpy(mask)).sequence
            yield rows, states[:, : max(lengths[row] for row in rows)]

    shape = (len(tokens), max(lengths), encoder.token_dim)
    _write(file, shape, f"Text sequences ({encoder.name})", encoder.name, batches())


def _write_images(encoder: ImageEncoder, table: ExampleTable, file: Path) -> None:
    examples = table.examples

    def batches() -> Batches:
        for start in range(0, len(examples), _IMAGE_BATCH):
            part = examples[start : start + _IMAGE_BATCH]
            pixels = [decode_image(e.image.read_bytes(), encoder.preprocessing) for e in part]
            cells = encoder.module.encode(torch.from_numpy(np.stack(pixels))).sequence
            yield list(range(start, start + len(part))), cells

    shape = (len(examples), encoder.cells, encoder.cell_dim)
    _write(file, shape, f"Image sequences ({encoder.name})", encoder.name, batches())


def _write(
    file: Path, shape: tuple[int, int, int], what: str, encoder: str, batches: Batches
) -> None:
    """Fills a file batch by batch; what a row is shorter than the longest stays zero."""
    gib = 2 * float(np.prod(shape)) / _GIB
    if gib > _LARGEST_GIB:
        kind = what.split(maxsplit=1)[0].lower()
        raise SequencesTooLargeError(kind, shape[0], shape[1], gib, _LARGEST_GIB)
    stored = np.lib.format.open_memmap(  # type: ignore[no-untyped-call] # NumPy ships it untyped
        file, mode="w+", dtype=np.float16, shape=shape
    )
    with progress(what, shape[0]) as advance:
        for rows, states in batches:
            halves = states.half()
            if not halves.isfinite().all():
                raise EncoderError(
                    encoder, "states of its tokens or cells are too large for half precision"
                )
            stored[rows, : states.shape[1]] = halves.numpy()
            advance(len(rows))
    stored.flush()
