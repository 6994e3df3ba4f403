"""The requests of a run: each a photo with a sentence, the same for all that are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadtest.bench.photos import jpeg_photos
from loadtest.bench.sentences import english_sentences

if TYPE_CHECKING:
    from loadtest.bench.sentences import Tokeniser

PHOTOS: Final = 32
SENTENCES: Final = 64
SEED: Final = 0


@dataclass(frozen=True)
class Example:
    """The input of one request.

    Attributes:
        photo: a JPEG file.
        sentence: an English sentence.
        tokens: how long the sentence is for the variant's tokeniser, special tokens included.
    """

    photo: bytes
    sentence: str
    tokens: int


def make_corpus(tokeniser: Tokeniser, seed: int = SEED) -> tuple[Example, ...]:
    """Makes one example a sentence; each photo comes with `SENTENCES / PHOTOS` of them.

    Args:
        tokeniser: the variant's own.
        seed: the same seed makes the same corpus.

    Raises:
        CorpusError: the photos or sentences cannot be made.
    """
    photos = jpeg_photos(PHOTOS, seed)
    sentences = english_sentences(SENTENCES, seed, tokeniser)
    tokens = [len(ids) for ids in tokeniser.tokenise(sentences)]
    return tuple(
        Example(photos[index % PHOTOS], sentence, tokens[index])
        for index, sentence in enumerate(sentences)
    )
