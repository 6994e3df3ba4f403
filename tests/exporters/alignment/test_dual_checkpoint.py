from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from exporters.alignment.dual_checkpoint import read_scoring, require_one_checkpoint
from exporters.errors import InvalidRecipeError
from exporters.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path


def recipe_of(text: Path, image: Path) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "dual",
            "data": {"source": "openmoji"},
            "text_encoder": {"folder": str(text)},
            "image_encoder": {"folder": str(image)},
            "dual_tower": {"projection": "checkpoint"},
        }
    )


def save(folder: Path, model_type: str, **scalars: float) -> Path:
    folder.mkdir()
    folder.joinpath("config.json").write_text(f'{{"model_type": "{model_type}"}}')
    weights = {name: torch.tensor([value]) for name, value in scalars.items()}
    save_file({"other": torch.zeros(2), **weights}, folder / "model.safetensors")
    return folder


def test_read_scoring_of_clip_is_its_scale_and_a_softmax(tmp_path: Path) -> None:
    folder = save(tmp_path / "clip", "clip", logit_scale=math.log(100))
    scoring = read_scoring(recipe_of(folder, folder))
    # the logarithm is stored in fp32
    assert scoring.logit_scale == pytest.approx(100.0, rel=1e-5)
    assert scoring.logit_bias is None


def test_read_scoring_of_siglip_is_its_scale_and_its_bias(tmp_path: Path) -> None:
    folder = save(tmp_path / "siglip", "siglip", logit_scale=math.log(112.5), logit_bias=-16.5)
    scoring = read_scoring(recipe_of(folder, folder))
    assert scoring.logit_bias == -16.5


def test_require_one_checkpoint_refuses_two_folders(tmp_path: Path) -> None:
    one, other = save(tmp_path / "one", "clip"), save(tmp_path / "other", "clip")
    require_one_checkpoint(recipe_of(one, one))
    with pytest.raises(InvalidRecipeError, match="one CLIP, SigLIP or BLIP"):
        require_one_checkpoint(recipe_of(one, other))


def test_require_one_checkpoint_refuses_a_family_without_two_towers(tmp_path: Path) -> None:
    folder = save(tmp_path / "bert", "bert")
    with pytest.raises(InvalidRecipeError, match=r"dual_tower\.projection"):
        require_one_checkpoint(recipe_of(folder, folder))
