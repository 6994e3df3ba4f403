"""English sentences of 10 to 40 tokens, such as people write under a picture.

A small grammar with a seed makes them; every length is wanted about equally often, because the work
of a text encoder grows with it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Protocol

from loadtest.bench.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_TOKENS: Final = 10
MAX_TOKENS: Final = 40

_ADJECTIVES: Final = (
    "small", "old", "bright red", "quiet", "wooden", "broken", "freshly painted", "tired", "young",
    "crowded", "golden", "narrow", "dusty", "cheerful", "enormous", "half-hidden", "blue", "empty",
)  # fmt: skip
_NOUNS: Final = (
    "dog", "bicycle", "market", "child", "sailing boat", "teapot", "street musician", "bridge",
    "mountain hut", "astronaut", "cat", "garden", "train", "baker", "lighthouse", "suitcase",
    "flower", "motorcycle", "temple", "cup of coffee", "rocket", "grandmother", "window", "clock",
)  # fmt: skip
_VERBS: Final = (
    "waits for", "leans against", "looks at", "belongs to", "stands beside", "is hiding behind",
    "reminds me of", "has just passed", "was photographed with", "moves slowly towards",
)  # fmt: skip
_PLACES: Final = (
    "under the old bridge", "near the harbour", "in front of the station", "on a kitchen table",
    "at the edge of the forest", "beside the river", "in a crowded street", "above the clouds",
    "between two parked cars", "on the way to school", "in the light of a single lamp",
)  # fmt: skip
_TIMES: Final = (
    "early in the morning", "after the rain", "just before sunset", "on the first day of spring",
    "late at night", "during the summer holidays", "while everybody else is asleep",
)  # fmt: skip
_LINKS: Final = ("and", "while", "but", "because", "although", "just as")
_OPENINGS: Final = ("", "In this picture ", "It seems that ", "We noticed how ", "Somehow ")

_MAX_DRAWS_PER_SENTENCE: Final = 500


class Tokeniser(Protocol):
    """Counts for us; `exporters.preprocessing.texts.TextTokenizer` is one."""

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the token ids of each text, special tokens included."""


def english_sentences(count: int, seed: int, tokeniser: Tokeniser) -> list[str]:
    """Writes distinct sentences whose token counts are spread evenly over the range.

    Args:
        count: how many.
        seed: of the grammar's choices.
        tokeniser: the variant's own.

    Returns:
        Sentences in random order of length.

    Raises:
        CorpusError: the tokeniser counts so differently that some lengths cannot be found.
    """
    choose = random.Random(seed)  # noqa: S311  # reproducible, nothing secret
    lengths = MAX_TOKENS - MIN_TOKENS + 1
    wanted = [MIN_TOKENS + index * lengths // count for index in range(count)]
    found: dict[str, None] = {}
    for _ in range(count * _MAX_DRAWS_PER_SENTENCE):
        sentence = _sentence(choose)
        tokens = len(tokeniser.tokenise([sentence])[0])
        if tokens in wanted and sentence not in found:
            wanted.remove(tokens)
            found[sentence] = None
        if not wanted:
            sentences = list(found)
            choose.shuffle(sentences)
            return sentences
    raise CorpusError(f"the variant's tokeniser gives no sentence of {wanted[0]} tokens")


def _sentence(choose: random.Random) -> str:
    clauses = [_clause(choose)]
    while choose.random() < 0.6:
        clauses.append(f"{choose.choice(_LINKS)} {_clause(choose)}")
    text = choose.choice(_OPENINGS) + " ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _clause(choose: random.Random) -> str:
    parts = [_thing(choose), choose.choice(_VERBS), _thing(choose)]
    if choose.random() < 0.5:
        parts.append(choose.choice(_PLACES))
    if choose.random() < 0.4:
        parts.append(choose.choice(_TIMES))
    return " ".join(parts)


def _thing(choose: random.Random) -> str:
    words = [choose.choice(("the", "this", "my neighbour's", "that"))]
    if choose.random() < 0.5:
        words.append(choose.choice(_ADJECTIVES))
    return " ".join([*words, choose.choice(_NOUNS)])
