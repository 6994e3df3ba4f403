"""Text to the token ids a text encoder takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from exporters.preprocessing.errors import InputFaultError
from gateway.contract.input_fault import InputFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TokenIds = npt.NDArray[np.int64]

_SHORTEST_BUCKET: Final = 16


class TextTokenizer:
    """A checkpoint's own fast tokenizer, with truncation and without padding.

    Args:
        path: the checkpoint's `tokenizer.json`.
        max_tokens: longer texts lose their end; special tokens are counted.
        pad_id: id that fills a batch up to its longest row; the mask hides it.
        pad_to: shortest padded row, in tokens, for encoders that were trained on one length.
    """

    def __init__(self, path: Path, max_tokens: int, pad_id: int, pad_to: int = 0) -> None:
        self.path = path
        self.max_tokens = max_tokens
        self.pad_id = pad_id
        self.pad_to = pad_to
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the token ids of each text, unpadded."""
        return [self._tokenizer.encode(text).ids for text in texts]

    def pad(
        self, rows: Sequence[Sequence[int]], tokens: int | None = None
    ) -> tuple[TokenIds, TokenIds]:
        """Pads rows of token ids.

        Args:
            rows: the token ids of each row.
            tokens: the length that all get, no less than the longest; None: that of the longest.
                Never less than `pad_to`.

        Returns:
            Token ids and attention mask, both int64 (batch, tokens).
        """
        width = max(tokens or 0, self.pad_to, *(len(row) for row in rows))
        ids = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return ids, mask

    def encode_batch(self, texts: Sequence[str]) -> tuple[TokenIds, TokenIds]:
        """Tokenises and pads a batch; see `pad` for what is returned."""
        return self.pad(self.tokenise(texts))


def decode_text(data: bytes) -> str:
    """Reads the text of a request.

    Raises:
        InputFaultError: the bytes are not UTF-8, or hold nothing but white space.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputFaultError(
            InputFault("text_not_utf8", "text", "the text is not valid UTF-8")
        ) from error
    if not text.strip():
        raise InputFaultError(InputFault("text_empty", "text", "the text is empty"))
    return text


def token_buckets(max_tokens: int) -> tuple[int, ...]:
    """Lengths that texts are padded to: 16, 32, 64 and so on, and the longest that there is."""
    buckets = [_SHORTEST_BUCKET]
    while buckets[-1] * 2 < max_tokens:
        buckets.append(buckets[-1] * 2)
    return (*(bucket for bucket in buckets if bucket < max_tokens), max_tokens)


def bucket_of(tokens: int, buckets: Sequence[int]) -> int:
    """Returns the shortest of ascending `buckets` that holds so many tokens."""
    return next(bucket for bucket in buckets if bucket >= tokens)


def groups_by_length(lengths: Sequence[int], group_size: int) -> Iterator[list[int]]:
    """Splits a batch into groups of similar length, so that little of the work is padding.

    Args:
        lengths: tokens of each row.
        group_size: rows of a group, at most.

    Yields:
        Indexes of the rows of one group.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for start in range(0, len(order), group_size):
        yield order[start : start + group_size]
