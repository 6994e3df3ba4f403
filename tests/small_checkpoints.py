"""Small, randomly initialised encoders, saved as local Hugging Face folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ("red", "green", "blue", "square", "circle", "a", "the", "on", "white", "ground", "small")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def save_small_bert(folder: Path, seed: int = 0) -> Path:
    """A BERT of two layers and 32 dimensions with a vocabulary of a few words."""
    torch.manual_seed(seed)
    vocabulary = {word: index for index, word in enumerate((*_SPECIAL, *WORDS))}
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def save_small_vit(folder: Path, seed: int = 0) -> Path:
    """A ViT of two layers and 32 dimensions for images of 48 by 48 pixels."""
    torch.manual_seed(seed)
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=48,
        patch_size=16,
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    processor = {
        "do_resize": True,
        "size": {"height": 48, "width": 48},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.25, 0.3],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder
