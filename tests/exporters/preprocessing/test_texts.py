from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporters.preprocessing.errors import InputFaultError
from exporters.preprocessing.texts import (
    TextTokenizer,
    bucket_of,
    decode_text,
    groups_by_length,
    token_buckets,
)
from tests.small_checkpoints import save_small_bert

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    folder: Path = save_small_bert(tmp_path_factory.mktemp("bert"))
    return TextTokenizer(folder / "tokenizer.json", max_tokens=6, pad_id=0)


def test_encode_batch_of_different_lengths_pads_and_masks(tokenizer: TextTokenizer) -> None:
    ids, mask = tokenizer.encode_batch(["red", "red green blue"])

    assert ids.shape == mask.shape == (2, 5)
    assert mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert ids[0, 3:].tolist() == [0, 0]


def test_encode_batch_of_long_text_keeps_its_last_special_token(tokenizer: TextTokenizer) -> None:
    ids, _ = tokenizer.encode_batch(["red " * 50])
    short, _ = tokenizer.encode_batch(["red"])

    assert ids.shape == (1, 6)
    assert ids[0, -1] == short[0, -1]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "text_empty"), (b" \n\t ", "text_empty"), (b"caf\xe9", "text_not_utf8")],
)
def test_decode_text_of_bad_bytes_names_the_fault(data: bytes, code: str) -> None:
    with pytest.raises(InputFaultError) as caught:
        decode_text(data)

    assert (caught.value.fault.field, caught.value.fault.code) == ("text", code)


def test_groups_by_length_covers_every_row_once_with_similar_neighbours() -> None:
    lengths = np.random.default_rng(0).integers(1, 40, 23).tolist()

    groups = list(groups_by_length(lengths, 4))

    assert sorted(index for group in groups for index in group) == list(range(23))
    assert all(len(group) <= 4 for group in groups)
    longest = [max(lengths[index] for index in group) for group in groups]
    shortest = [min(lengths[index] for index in group) for group in groups]
    assert all(low >= high for low, high in zip(shortest[1:], longest[:-1], strict=True))


@pytest.mark.parametrize(
    ("max_tokens", "buckets"),
    [(8, (8,)), (16, (16,)), (17, (16, 17)), (64, (16, 32, 64)), (100, (16, 32, 64, 100))],
)
def test_token_buckets_double_up_to_the_longest(max_tokens: int, buckets: tuple[int, ...]) -> None:
    assert token_buckets(max_tokens) == buckets


@pytest.mark.parametrize(("tokens", "bucket"), [(1, 16), (16, 16), (17, 32), (64, 64)])
def test_bucket_of_is_the_shortest_that_holds_it(tokens: int, bucket: int) -> None:
    assert bucket_of(tokens, (16, 32, 64)) == bucket


def test_pad_to_a_bucket_masks_what_it_adds(tokenizer: TextTokenizer) -> None:
    ids, mask = tokenizer.pad([[5, 6], [7]], tokens=4)

    assert ids.tolist() == [[5, 6, 0, 0], [7, 0, 0, 0]]
    assert mask.tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]
