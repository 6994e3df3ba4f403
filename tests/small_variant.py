"""A recipe with other encoders than the demo's: a small random BERT and ViT, drawn shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.small_checkpoints import save_small_bert, save_small_vit
from tests.small_data import save_small_table

if TYPE_CHECKING:
    from pathlib import Path

_RECIPE = """
name = "shapes"
seed = 3

[data]
table = "data/shapes.csv"
holdout_ratio = 0.3
twin_cosine = 1.0

[text_encoder]
folder = "bert"
max_tokens = 32

[image_encoder]
folder = "vit"
jpeg_decode = "full"

[head]
type = "gated"
hidden_dim = 16

[training]
epochs = 30

[target]
image_instances = 1
"""


def write_small_recipe(folder: Path, head: str = "gated", examples: int = 420) -> Path:
    """Writes checkpoints, data and `shapes.toml` with this head; returns the recipe's path."""
    save_small_bert(folder / "bert")
    save_small_vit(folder / "vit")
    save_small_table(folder / "data", examples)
    recipe = folder / "shapes.toml"
    recipe.write_text(_RECIPE.replace('"gated"', f'"{head}"'), encoding="utf-8")
    return recipe
