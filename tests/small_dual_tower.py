"""A recipe of a dual tower over small random encoders, and small dual checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from transformers import BlipImageProcessorPil, CLIPImageProcessorPil, SiglipImageProcessorPil

from tests.small_checkpoints import save_small_bert, save_small_vit
from tests.small_data import save_small_table

if TYPE_CHECKING:
    from pathlib import Path

_SIDE: Final = 96

_RECIPE = """
name = "shapes-zero-shot"
seed = 3

[data]
table = "data/shapes.csv"
holdout_ratio = 0.34
validation_ratio = 0.34
twin_cosine = 1.0

[text_encoder]
folder = "bert"
max_tokens = 32

[image_encoder]
folder = "vit"
jpeg_decode = "full"

[dual_tower]
dim = 16
templates = ["a {label}", "the {label} on white ground"]

[training]
epochs = 3
batch_size = 32

[target]
image_instances = 1
"""


_CHECKPOINT_RECIPE = """
name = "shapes-{model_type}"
seed = 3

[data]
table = "data/shapes.csv"
holdout_ratio = 0.34
validation_ratio = 0.34
twin_cosine = 1.0

[text_encoder]
folder = "{model_type}"
max_tokens = {max_tokens}

[image_encoder]
folder = "{model_type}"
jpeg_decode = "full"

[dual_tower]
projection = "checkpoint"

[target]
image_instances = 1
"""

_POSITIONS = {"clip": 77, "siglip": 64, "blip": 64}


def write_dual_checkpoint_recipe(folder: Path, model_type: str) -> Path:
    """Writes a small random CLIP, SigLIP or BLIP, data and a recipe; returns the recipe's path."""
    # Here and not above: the models of conformance are not needed where projections are trained.
    from tests.conformance.small_models import build_model
    from tests.conformance.small_tokenizers import TOKENIZERS

    checkpoint = folder / model_type
    build_model(model_type, _SIDE).save_pretrained(checkpoint)  # type: ignore[operator]
    TOKENIZERS[model_type]().save_pretrained(checkpoint)
    image_processor(model_type).save_pretrained(checkpoint)
    save_small_table(folder / "data", examples=120)
    recipe = folder / f"shapes-{model_type}.toml"
    fields = {"model_type": model_type, "max_tokens": _POSITIONS[model_type]}
    recipe.write_text(_CHECKPOINT_RECIPE.format(**fields), encoding="utf-8")
    return recipe


def image_processor(model_type: str) -> Any:  # noqa: ANN401  # transformers carries no types
    """The family's own processor, for small images."""
    if model_type == "clip":
        crop = {"height": _SIDE, "width": _SIDE}
        return CLIPImageProcessorPil(size={"shortest_edge": _SIDE}, crop_size=crop)
    processor = SiglipImageProcessorPil if model_type == "siglip" else BlipImageProcessorPil
    return processor(size={"height": _SIDE, "width": _SIDE})


def write_small_dual_recipe(folder: Path) -> Path:
    """Writes checkpoints, data and `shapes-zero-shot.toml`; returns the recipe's path."""
    save_small_bert(folder / "bert")
    save_small_vit(folder / "vit")
    save_small_table(folder / "data", examples=240)
    recipe = folder / "shapes-zero-shot.toml"
    recipe.write_text(_RECIPE, encoding="utf-8")
    return recipe
