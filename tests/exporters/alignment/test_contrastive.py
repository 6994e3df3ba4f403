from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from exporters.alignment.contrastive import Pairs, fit_projections, info_nce
from exporters.alignment.projections import Projections, tower_for
from exporters.recipe import Recipe
from exporters.recipe_sections import DualTowerRecipe
from exporters.training import Features
from gateway.contract.manifest import ModalitySet

RECIPE = Recipe.model_validate(
    {
        "name": "pairs",
        "seed": 5,
        "data": {"source": "openmoji"},
        "text_encoder": {"hub": "text"},
        "image_encoder": {"hub": "image"},
        "training": {"epochs": 60, "learning_rate": 0.01, "batch_size": 32},
    }
)


def pairs_of(count: int, seed: int) -> Pairs:
    """Texts and images that are two views of the same eight numbers."""
    generator = torch.Generator().manual_seed(seed)
    views = torch.Generator().manual_seed(99)
    content = torch.randn(count, 8, generator=generator)
    text = content @ torch.randn(8, 12, generator=views)
    image = content @ torch.randn(8, 20, generator=views)
    return Pairs(Features(text, image), torch.arange(count))


def test_info_nce_of_vectors_that_all_agree_is_the_logarithm_of_the_batch() -> None:
    same = torch.ones(6, 4)
    loss = info_nce(
        Projections(nn.Identity(), nn.Identity()), Pairs(Features(same, same), torch.arange(6))
    )
    # fp32 logarithm and mean of six equal numbers
    assert float(loss.detach()) == pytest.approx(math.log(6), abs=1e-5)


def test_info_nce_takes_no_twin_for_a_wrong_answer() -> None:
    same = torch.ones(6, 4)
    twins = Pairs(Features(same, same), torch.zeros(6, dtype=torch.int64))
    loss = info_nce(Projections(nn.Identity(), nn.Identity()), twins)
    assert float(loss.detach()) == 0.0


@pytest.mark.parametrize("dim", [None, 6])
def test_fit_projections_learns_which_text_belongs_to_an_image(dim: int | None) -> None:
    settings = DualTowerRecipe(dim=dim, dropout=0.0)
    train, validation = pairs_of(256, seed=0), pairs_of(64, seed=1)

    fitted = fit_projections(RECIPE, settings, train, validation, on_epoch=lambda _: None)
    again = fit_projections(RECIPE, settings, train, validation, on_epoch=lambda _: None)

    text = fitted.projections.embed_text(validation.features.text)
    image = fitted.projections.embed_image(validation.features.image)
    found = (image @ text.T).argmax(dim=-1)
    # A guess finds one of 64; a linear map of noiseless views leaves little to mistake.
    assert float((found == torch.arange(64)).double().mean()) > 0.8
    assert text.shape[1] == (dim or 12)
    assert again.epochs == fitted.epochs


def test_towers_of_both_is_the_weighted_sum_of_its_sides() -> None:
    projections = Projections(nn.Identity(), nn.Identity())
    projections.image_weight.fill_(0.25)
    text, image = torch.randn(2, 5), torch.randn(2, 5)

    both = tower_for(projections, ModalitySet.BOTH)(text, image)

    alone = (
        tower_for(projections, ModalitySet.TEXT)(text),
        tower_for(projections, ModalitySet.IMAGE)(image),
    )
    # One fp32 rounding a product.
    assert torch.allclose(both, 0.75 * alone[0] + 0.25 * alone[1], atol=1e-6)
