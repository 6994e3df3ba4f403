"""A recipe of a dual tower over small random encoders, and small dual checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.small_checkpoints import save_small_bert, save_small_vit
from tests.small_data import save_small_table

if TYPE_CHECKING:
    from pathlib import Path

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


def write_small_dual_recipe(folder: Path) -> Path:
    """Writes checkpoints, data and `shapes-zero-shot.toml`; returns the recipe's path."""
    save_small_bert(folder / "bert")
    save_small_vit(folder / "vit")
    save_small_table(folder / "data", examples=240)
    recipe = folder / "shapes-zero-shot.toml"
    recipe.write_text(_RECIPE, encoding="utf-8")
    return recipe
