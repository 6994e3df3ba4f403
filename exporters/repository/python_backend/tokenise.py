"""Texts to the token ids of a text encoder that Triton runs itself.

Requests batch only when their shapes match: rows are padded to one of a few bucket lengths, so that
texts of similar length meet in the encoder's queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporters.preprocessing.texts import TextTokenizer, bucket_of, decode_text
from exporters.repository.python_backend.preprocess_step import PreprocessStep
from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

INPUT_IDS = "INPUT_IDS"
ATTENTION_MASK = "ATTENTION_MASK"


class TokenisedRows:
    """Tokenises texts and pads them to a bucket length."""

    input_name = tensors.TEXT

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._tokenizer = TextTokenizer(
            folder / settings["tokenizer"], settings["max_tokens"], settings["pad_id"]
        )
        self._buckets: list[int] = settings["token_buckets"]

    def preprocess(self, row: bytes) -> list[int]:
        """One text to its token ids."""
        return self._tokenizer.tokenise([decode_text(row)])[0]

    def stack(self, items: Sequence[list[int]]) -> dict[str, npt.NDArray[Any]]:
        """Token ids and attention mask, both int64 (texts, bucket of the longest)."""
        bucket = bucket_of(max(len(item) for item in items), self._buckets)
        input_ids, attention_mask = self._tokenizer.pad(items, bucket)
        return {INPUT_IDS: input_ids, ATTENTION_MASK: attention_mask}


def load(folder: Path, settings: dict[str, Any]) -> PreprocessStep[list[int]]:
    """Reads the tokenizer and tokenises once, so that the first caller does not pay for it."""
    rows = TokenisedRows(folder, settings)
    rows.stack([rows.preprocess(b"a sentence to warm up with")])
    return PreprocessStep(rows)
