"""Files of sequences: half precision, mapped into memory, filled batch by batch.

What is not looked at is not read, so training needs a batch's worth of memory however many examples
there are. It is NumPy's own format, opened with pickles refused.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.errors import EncoderError, SequencesTooLargeError
from exporters.training.sequences import StoredSequences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from exporters.training.sequences import Stored

    Fill = Callable[[list[int], Tensor], None]
    """Puts sequences, float32 (rows, length, dim), where those rows of the table belong."""

_GIB: Final = 2**30
_LARGEST_GIB: Final = 16.0


@contextmanager
def new_sequences(
    file: Path, shape: tuple[int, int, int], kind: str, encoder: str
) -> Iterator[Fill]:
    """Makes a file of zeros to be filled.

    Args:
        file: where it goes; what reads it must not see it before the block ends.
        shape: examples, longest sequence, width of a position.
        kind: `text` or `image`.
        encoder: what the sequences are of, for errors.

    Yields:
        What fills it; what a row is shorter than the longest stays zero.

    Raises:
        SequencesTooLargeError: it would be larger than 16 GiB or than what is free on its disk;
            nothing was written.
        EncoderError: states that were to be filled in are beyond what half precision holds.
    """
    gib = 2 * float(np.prod(shape)) / _GIB
    free_gib = shutil.disk_usage(file.parent).free / _GIB
    if gib > min(_LARGEST_GIB, free_gib):
        raise SequencesTooLargeError(
            kind, shape[0], shape[1], gib, min(_LARGEST_GIB, free_gib), gib <= _LARGEST_GIB
        )
    stored = np.lib.format.open_memmap(  # type: ignore[no-untyped-call] # NumPy ships it untyped
        file, mode="w+", dtype=np.float16, shape=shape
    )

    def fill(rows: list[int], states: Tensor) -> None:
        halves = states[:, : shape[1]].half()
        if not halves.isfinite().all():
            raise EncoderError(
                encoder, "states of its tokens or cells are too large for half precision"
            )
        stored[rows, : halves.shape[1]] = halves.numpy()

    yield fill
    stored.flush()


def open_sequences(file: Path, *, is_ragged: bool) -> StoredSequences:
    """Maps a file into memory; see `StoredSequences` for `is_ragged`."""
    # Copy on write: torch takes no array that it may not write to, and nothing here writes.
    stored: Stored = np.load(file, mmap_mode="c", allow_pickle=False)
    return StoredSequences.whole(stored, is_ragged=is_ragged)


def zeros_on_disk(shape: tuple[int, ...]) -> Stored:
    """Returns float16 zeros in a file without a name, which is gone with the array."""
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float16, "w+", shape=shape)
