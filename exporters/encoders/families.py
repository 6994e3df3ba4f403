"""The families of transformers' encoders, one declaration each.

A family says which class loads it, which part of it is the tower, how its states become one vector,
and where its texts or images need other care. Everything that differs between two checkpoints of a
family (sizes, pad id, crop, mean) is read from the checkpoint. `make conformance` holds every
declaration against transformers, from raw input to the served feature.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Family:
    """What text and image families share.

    Attributes:
        model_type: what the checkpoint's `config.json` calls the family.
        model_class: class of transformers that holds all weights that are needed.
        tower: attribute of that model that encodes this modality; empty: the whole model.
        projection: attribute that maps the tower's pooled state into the space that both towers of
            a dual encoder share; empty: none.
        pooling: `mean` over tokens, patches or grid cells, `cls` for the first token, or `pooler`
            for the tower's own `pooler_output`.
        options: further arguments of `from_pretrained`.
    """

    model_type: str
    model_class: str = "AutoModel"
    tower: str = ""
    projection: str = ""
    pooling: Literal["mean", "cls", "pooler"] = "mean"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TextFamily(Family):
    """A family of text encoders.

    Attributes:
        has_positions_after_pad: positions count from the pad id on, as in fairseq, so a checkpoint
            has `pad_token_id + 1` positions fewer than its position table has rows.
        is_padded_to_positions: every text is padded to the checkpoint's last position and attends
            to its padding.
    """

    has_positions_after_pad: bool = False
    is_padded_to_positions: bool = False


@dataclass(frozen=True, kw_only=True)
class ImageFamily(Family):
    """A family of image encoders.

    Attributes:
        class_tokens: tokens before the first patch that are no patches.
    """

    class_tokens: int = 0


TEXT_FAMILIES: Final = (
    TextFamily(model_type="bert"),
    TextFamily(model_type="distilbert"),
    TextFamily(model_type="roberta", has_positions_after_pad=True),
    TextFamily(model_type="xlm-roberta", has_positions_after_pad=True),
    TextFamily(model_type="deberta-v2"),  # DeBERTa-v3 says so too
    TextFamily(model_type="mpnet", has_positions_after_pad=True),
    # The state at the end of the text; the tower finds it by the token's id.
    TextFamily(
        model_type="clip",
        model_class="CLIPModel",
        tower="text_model",
        projection="text_projection",
        pooling="pooler",
    ),
    # The state at the last position, which is nearly always padding: it was trained with no
    # attention mask on 64 tokens (its tokenizers name `input_ids` as their only input). The
    # projection is inside the tower.
    TextFamily(
        model_type="siglip",
        model_class="SiglipModel",
        tower="text_model",
        pooling="pooler",
        is_padded_to_positions=True,
    ),
    # The contrastive towers are those of the retrieval model; `BlipModel` has projections that no
    # published checkpoint was trained with.
    TextFamily(
        model_type="blip",
        model_class="BlipForImageTextRetrieval",
        tower="text_encoder",
        projection="text_proj",
        pooling="cls",
    ),
)
"""Text families, by `config.json`'s model_type."""

IMAGE_FAMILIES: Final = (
    ImageFamily(
        model_type="vit", pooling="cls", class_tokens=1, options={"add_pooling_layer": False}
    ),
    # The second token was trained to follow a teacher, and is no patch either.
    ImageFamily(
        model_type="deit", pooling="cls", class_tokens=2, options={"add_pooling_layer": False}
    ),
    ImageFamily(model_type="dinov2", pooling="cls", class_tokens=1),
    ImageFamily(model_type="swin", options={"add_pooling_layer": False}),
    ImageFamily(model_type="convnext", pooling="pooler"),  # a norm follows the mean
    ImageFamily(model_type="resnet"),
    ImageFamily(model_type="efficientnet"),
    ImageFamily(
        model_type="clip",
        model_class="CLIPModel",
        tower="vision_model",
        projection="visual_projection",
        pooling="pooler",
        class_tokens=1,
    ),
    ImageFamily(
        model_type="siglip", model_class="SiglipModel", tower="vision_model", pooling="pooler"
    ),
    ImageFamily(
        model_type="blip",
        model_class="BlipForImageTextRetrieval",
        tower="vision_model",
        projection="vision_proj",
        pooling="cls",
        class_tokens=1,
    ),
)
"""Image families, by `config.json`'s model_type."""
