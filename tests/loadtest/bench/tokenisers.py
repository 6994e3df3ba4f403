"""A tokeniser that needs no checkpoint: words and punctuation, with BERT's two special tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from exporters.preprocessing.texts import TextTokenizer

if TYPE_CHECKING:
    from pathlib import Path


def word_tokeniser(folder: Path) -> TextTokenizer:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return TextTokenizer(path, max_tokens=64, pad_id=0)
