"""The requests of a run, made from the real sample photos."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from loadtest.bench.corpus import Example, make_corpus
from loadtest.bench.errors import CorpusError
from loadtest.bench.sentences import english_sentences
from tests.loadtest.bench.tokenisers import word_tokeniser

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Example, ...]:
    return make_corpus(word_tokeniser(tmp_path_factory.mktemp("tokeniser")))


def test_corpus_photos_are_distinct_jpeg_files_of_the_wanted_size(
    corpus: tuple[Example, ...],
) -> None:
    photos = {example.photo for example in corpus}

    assert len(photos) >= 32
    assert all(40_000 <= len(photo) <= 80_000 for photo in photos)
    for photo in photos:
        image = Image.open(io.BytesIO(photo))
        assert (image.format, image.size, image.mode) == ("JPEG", (640, 480), "RGB")


def test_corpus_sentences_are_distinct_and_spread_over_the_lengths(
    corpus: tuple[Example, ...],
) -> None:
    tokens = sorted(example.tokens for example in corpus)

    assert len({example.sentence for example in corpus}) >= 64
    assert (tokens[0], tokens[-1]) == (10, 40)
    assert set(tokens) == set(range(10, 41))
    assert [example.tokens for example in corpus] != tokens  # lengths come in random order


def test_corpus_tokens_are_what_the_tokeniser_counts(
    corpus: tuple[Example, ...], tmp_path: Path
) -> None:
    tokeniser = word_tokeniser(tmp_path)

    for example in corpus:
        assert len(tokeniser.tokenise([example.sentence])[0]) == example.tokens


def test_corpus_same_seed_is_the_same_and_another_is_not(
    corpus: tuple[Example, ...], tmp_path: Path
) -> None:
    tokeniser = word_tokeniser(tmp_path)

    assert make_corpus(tokeniser) == corpus
    other = make_corpus(tokeniser, seed=1)
    assert not {example.photo for example in other} & {example.photo for example in corpus}


def test_sentences_tokeniser_that_counts_otherwise_is_refused() -> None:
    class Deaf:
        def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
            return [[0] for _ in texts]

    with pytest.raises(CorpusError, match="no sentence of 10 tokens"):
        english_sentences(4, 0, Deaf())
