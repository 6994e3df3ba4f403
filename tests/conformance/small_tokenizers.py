"""Tokenizers of each family over a few letters, made by the family's own class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,!?")
WORDS = [*LETTERS, *(f"##{letter}" for letter in LETTERS), "red", "the", "square", "##ness"]
BYTES = sorted(ByteLevel.alphabet())


def bert() -> Any:  # noqa: ANN401  # here and below: transformers carries no types
    return transformers.BertTokenizer(
        vocab=_numbered(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
    )


def roberta() -> Any:  # noqa: ANN401
    vocabulary = _numbered(["<s>", "<pad>", "</s>", "<unk>", *BYTES, "<mask>"])
    return transformers.RobertaTokenizer(vocab=vocabulary, merges=[])


def xlm_roberta() -> Any:  # noqa: ANN401
    pieces = _pieces("<s>", "<pad>", "</s>", "<unk>")
    return transformers.XLMRobertaTokenizer(vocab=[*pieces, ("<mask>", 0.0)])


def deberta() -> Any:  # noqa: ANN401
    pieces = _pieces("[PAD]", "[CLS]", "[SEP]", "[UNK]")
    return transformers.DebertaV2Tokenizer(vocab=[*pieces, ("[MASK]", 0.0)], unk_id=3)


def mpnet() -> Any:  # noqa: ANN401
    return transformers.MPNetTokenizer(
        vocab=_numbered(["<s>", "<pad>", "</s>", "[UNK]", *WORDS, "<mask>"])
    )


def clip() -> Any:  # noqa: ANN401
    ends = [f"{letter}</w>" for letter in BYTES]
    vocabulary = _numbered([*BYTES, *ends, "<|startoftext|>", "<|endoftext|>"])
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[])


def siglip() -> Any:  # noqa: ANN401
    """As published: the end of the text is the padding, and no attention mask is returned."""
    tokenizer = Tokenizer(models.Unigram(_pieces("<unk>", "</s>"), unk_id=0))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        model_input_names=["input_ids"],
    )


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "bert": bert,
    "distilbert": bert,
    "roberta": roberta,
    "xlm-roberta": xlm_roberta,
    "deberta-v2": deberta,
    "mpnet": mpnet,
    "clip": clip,
    "siglip": siglip,
    "blip": bert,
}
"""By model_type."""


def _numbered(tokens: Iterable[str]) -> dict[str, int]:
    return {token: index for index, token in enumerate(tokens)}


def _pieces(*special: str) -> list[tuple[str, float]]:
    """A unigram vocabulary: special pieces, then words and letters with their log probabilities."""
    words = [("▁", -2.0), ("▁the", -1.0), ("▁red", -1.0)]
    letters = [*LETTERS, *(letter.upper() for letter in LETTERS if letter.isalpha())]
    return [*((each, 0.0) for each in special), *words, *((each, -3.0) for each in letters)]
