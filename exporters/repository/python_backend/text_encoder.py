"""Texts to text features.

A dynamic batch holds texts of every length. They are encoded in groups of similar length: padded to
the longest of sixteen random sentences a text costs twice as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.preprocessing.texts import TextTokenizer, decode_text, groups_by_length
from exporters.repository.python_backend.encoder_step import Array, EncodedRows, EncoderStep
from exporters.repository.python_backend.session import open_session, run_as_batch_work
from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class TextRows:
    """Tokenises and encodes texts, `group_size` of similar length at a time."""

    input_name = tensors.TEXT

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._session = open_session(folder / settings["graph"], settings["intra_op_threads"])
        self._tokenizer = TextTokenizer(
            folder / settings["tokenizer"],
            settings["max_tokens"],
            settings["pad_id"],
            settings["pad_to"],
        )
        self._group_size: int = settings["group_size"]

    def preprocess(self, row: bytes) -> list[int]:
        """One text to its token ids."""
        return self._tokenizer.tokenise([decode_text(row)])[0]

    def encode(self, items: Sequence[list[int]]) -> EncodedRows:
        """Token ids to features and, where the graph gives them, states of each text's tokens."""
        order: list[int] = []
        features: list[Array] = []
        tokens: list[Array] = []
        for group in groups_by_length([len(item) for item in items], self._group_size):
            input_ids, attention_mask = self._tokenizer.pad([items[index] for index in group])
            feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
            pooled, *states = self._session.run(None, feeds)
            order.extend(group)
            features.append(pooled)
            for rows in states:
                tokens += [row[: len(items[index])] for index, row in zip(group, rows, strict=True)]
        places = np.argsort(order)
        return EncodedRows(
            np.concatenate(features)[places],
            [tokens[place] for place in places] if tokens else None,
        )


def load(folder: Path, settings: dict[str, Any]) -> EncoderStep[list[int]]:
    """Opens the graph and encodes once, so that the first caller does not pay for it."""
    run_as_batch_work()
    rows = TextRows(folder, settings)
    rows.encode([rows.preprocess(b"a sentence to warm up with")] * settings["group_size"])
    return EncoderStep(rows)
