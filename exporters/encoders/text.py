"""Text encoders: any encoder-only transformers checkpoint with a fast tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from exporters.checkpoints import Checkpoint, find_checkpoint
from exporters.digests import digest_of_json
from exporters.errors import EncoderError
from exporters.preprocessing.texts import TextTokenizer

if TYPE_CHECKING:
    from exporters.recipe import TextEncoderRecipe

_FILES: Final = ("config.json", "tokenizer.json", "*.safetensors")


@dataclass(frozen=True)
class TextEncoder:
    """A frozen text encoder.

    Attributes:
        name: what the recipe calls it.
        module: (input_ids, attention_mask), both int64 (batch, tokens), to float32 (batch, dim).
        tokenizer: the checkpoint's own.
        dim: width of the pooled feature.
        digest: SHA-256 of weights, tokenizer, pooling and length limit.
    """

    name: str
    module: nn.Module
    tokenizer: TextTokenizer
    dim: int
    digest: str


class PooledTextModel(nn.Module):
    """A transformer and the pooling that turns its token states into one vector."""

    def __init__(self, transformer: nn.Module, pooling: str) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Pooled features.

        Args:
            input_ids: int64 (batch, tokens).
            attention_mask: int64 (batch, tokens), 1 for a token and 0 for padding.

        Returns:
            float32 (batch, dim).
        """
        output = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
        states: torch.Tensor = output.last_hidden_state  # (batch, tokens, dim)
        if self.pooling == "cls":
            return states[:, 0]
        weights = attention_mask.unsqueeze(-1).to(states.dtype)  # (batch, tokens, 1)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def load_text_encoder(recipe: TextEncoderRecipe) -> TextEncoder:
    """Loads the text encoder of a recipe, frozen and in evaluation mode.

    Raises:
        EncoderError: the checkpoint has no safetensors, no `tokenizer.json`, or is no text encoder.
        MissingRequirementError, DownloadError: see `find_checkpoint`.
    """
    checkpoint = find_checkpoint(recipe)
    config = checkpoint.config()
    checkpoint.require_safetensors()
    tokenizer_file = checkpoint.folder / "tokenizer.json"
    if not tokenizer_file.is_file():
        raise EncoderError(
            checkpoint.name,
            "its folder holds no tokenizer.json; write one with "
            "AutoTokenizer.from_pretrained(folder, use_fast=True).save_pretrained(folder)",
        )
    limit = config.get("max_position_embeddings")
    if isinstance(limit, int) and recipe.max_tokens > limit:
        raise EncoderError(
            checkpoint.name,
            f"max_tokens is {recipe.max_tokens}, but the checkpoint has {limit} positions",
        )
    module = PooledTextModel(_load_transformer(checkpoint), recipe.pooling).eval()
    module.requires_grad_(requires_grad=False)
    return TextEncoder(
        name=checkpoint.name,
        module=module,
        tokenizer=TextTokenizer(tokenizer_file, recipe.max_tokens, _pad_id(config)),
        dim=_hidden_size(checkpoint, config),
        digest=text_encoder_digest(recipe),
    )


def text_encoder_digest(recipe: TextEncoderRecipe) -> str:
    """The digest of the encoder that a recipe names, without loading it."""
    files = find_checkpoint(recipe).digest(*_FILES)
    return digest_of_json([files, recipe.pooling, recipe.max_tokens])


def _load_transformer(checkpoint: Checkpoint) -> nn.Module:
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # it counts tensors, which takes no time

    try:
        # Eager attention is the one that the TorchScript exporter turns into plain ONNX operators.
        model: nn.Module = AutoModel.from_pretrained(
            checkpoint.folder,
            attn_implementation="eager",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EncoderError(checkpoint.name, f"transformers cannot load it: {error}") from error
    return model


def _pad_id(config: dict[str, Any]) -> int:
    pad_id = config.get("pad_token_id")
    return pad_id if isinstance(pad_id, int) else 0


def _hidden_size(checkpoint: Checkpoint, config: dict[str, Any]) -> int:
    for key in ("hidden_size", "dim", "d_model"):
        if isinstance(config.get(key), int):
            return int(config[key])
    raise EncoderError(checkpoint.name, "config.json names no hidden_size")
