"""Text encoders of transformers: the towers of `TEXT_FAMILIES`, each with its fast tokenizer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import nn

from exporters.checkpoints import Checkpoint, find_checkpoint
from exporters.digests import digest_of_json
from exporters.encoders.encoded import Encoded
from exporters.encoders.families import TEXT_FAMILIES, TextFamily
from exporters.encoders.towers import Tower, find_family, load_tower
from exporters.errors import EncoderError
from exporters.preprocessing.texts import TextTokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.recipe_sections import TextEncoderRecipe

_FILES: Final = ("config.json", "tokenizer.json", "*.safetensors")
_Pooling = Literal["mean", "cls", "pooler"]


@dataclass(frozen=True)
class TextEncoder:
    """A frozen text encoder.

    Attributes:
        name: what the recipe calls it.
        module: (input_ids, attention_mask), both int64 (batch, tokens), to float32 (batch, dim);
            its `encode` gives the tokens too.
        tokenizer: the checkpoint's own.
        dim: width of the pooled feature.
        token_dim: width of a token's state.
        digest: SHA-256 of weights, tokenizer, family, pooling and length limit.
    """

    name: str
    module: PooledTextModel
    tokenizer: TextTokenizer
    dim: int
    token_dim: int
    digest: str


class PooledTextModel(nn.Module):
    """A text tower and the pooling that turns its token states into one vector."""

    def __init__(self, tower: Tower, pooling: _Pooling, *, attends_to_padding: bool) -> None:
        super().__init__()
        self.network = tower.network
        self.projection = tower.projection
        self.pooling = pooling
        self.attends_to_padding = attends_to_padding

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Pooled features.

        Args:
            input_ids: int64 (batch, tokens).
            attention_mask: int64 (batch, tokens), 1 for a token and 0 for padding.

        Returns:
            float32 (batch, dim).
        """
        return self.encode(input_ids, attention_mask).pooled

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Encoded:
        """Pooled features and token states.

        Args:
            input_ids: int64 (batch, tokens).
            attention_mask: int64 (batch, tokens), 1 for a token and 0 for padding.

        Returns:
            float32 (batch, dim) and (batch, tokens, token_dim); states of padding are zero, by
            which whoever reads the sequence knows them.
        """
        is_token = attention_mask.unsqueeze(-1)  # (batch, tokens, 1)
        if self.attends_to_padding:
            # Not None: every graph has the same two inputs.
            attention_mask = torch.ones_like(attention_mask)
        output = self.network(input_ids=input_ids, attention_mask=attention_mask)
        states: torch.Tensor = output.last_hidden_state  # (batch, tokens, dim)
        if self.pooling == "pooler":
            pooled = output.pooler_output
        elif self.pooling == "cls":
            pooled = states[:, 0]
        else:
            weights = attention_mask.unsqueeze(-1).to(states.dtype)  # (batch, tokens, 1)
            pooled = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
        return Encoded(self.projection(pooled), states * is_token.to(states.dtype))


def load_text_encoder(recipe: TextEncoderRecipe) -> TextEncoder:
    """Loads the text encoder of a recipe, frozen and in evaluation mode.

    Raises:
        EncoderError: the checkpoint has no safetensors or no `tokenizer.json`, is of a family that
            is not known, or cannot do what the recipe asks.
        MissingRequirementError, DownloadError: see `find_checkpoint`.
    """
    checkpoint = find_checkpoint(recipe)
    family = find_family(checkpoint, TEXT_FAMILIES)
    pooling = _pooling(checkpoint, family, recipe)
    tokenizer_file = _tokenizer_file(checkpoint)
    tower = load_tower(checkpoint, family)
    pad_id = tower.config.pad_token_id or 0
    positions = _positions(tower.config, family, pad_id)
    if recipe.max_tokens > positions:
        raise EncoderError(
            checkpoint.name,
            f"max_tokens is {recipe.max_tokens}, but the checkpoint has {positions} positions",
        )
    module = PooledTextModel(tower, pooling, attends_to_padding=family.is_padded_to_positions)
    module.eval().requires_grad_(requires_grad=False)
    pad_to = positions if family.is_padded_to_positions else 0
    tokenizer = TextTokenizer(tokenizer_file, recipe.max_tokens, pad_id, pad_to)
    pooled, states = _encode_one(module, tokenizer)
    files = checkpoint.digest(*_FILES)
    return TextEncoder(
        name=checkpoint.name,
        module=module,
        tokenizer=tokenizer,
        dim=pooled.shape[1],
        token_dim=states.shape[2],
        digest=digest_of_json([files, asdict(family), pooling, recipe.max_tokens]),
    )


def _pooling(checkpoint: Checkpoint, family: TextFamily, recipe: TextEncoderRecipe) -> _Pooling:
    if recipe.pooling is not None and family.tower:
        raise EncoderError(
            checkpoint.name,
            f"the '{family.model_type}' tower was trained with a pooling of its own; "
            "take pooling out of the recipe",
        )
    return recipe.pooling or family.pooling


def _tokenizer_file(checkpoint: Checkpoint) -> Path:
    file = checkpoint.folder / "tokenizer.json"
    if not file.is_file():
        raise EncoderError(
            checkpoint.name,
            "its folder holds no tokenizer.json; write one with "
            "AutoTokenizer.from_pretrained(folder, use_fast=True).save_pretrained(folder)",
        )
    return file


def _positions(config: Any, family: TextFamily, pad_id: int) -> int:  # noqa: ANN401
    """Most tokens of a text, special ones included."""
    rows: int = config.max_position_embeddings
    return rows - pad_id - 1 if family.has_positions_after_pad else rows


def _encode_one(module: PooledTextModel, tokenizer: TextTokenizer) -> Encoded:
    """Encodes one text, for the widths, which configs name in many ways."""
    ids, mask = tokenizer.encode_batch(["a"])
    with torch.inference_mode():
        return module.encode(torch.from_numpy(ids), torch.from_numpy(mask))
