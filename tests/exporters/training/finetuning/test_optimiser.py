from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.encoders import load_text_encoder
from exporters.heads import build_head
from exporters.recipe_sections import FineTuneRecipe, HeadRecipe, TextEncoderRecipe
from exporters.tasks import single_task
from exporters.training.finetuning.layers import unfreeze
from exporters.training.finetuning.optimiser import make_optimiser, schedule, set_learning_rates
from tests.small_checkpoints import save_small_bert

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = FineTuneRecipe(learning_rate=0.1, head_learning_rate=0.3, layer_decay=0.5)


def test_make_optimiser_gives_each_layer_half_the_rate_of_the_one_above(tmp_path: Path) -> None:
    encoder = load_text_encoder(TextEncoderRecipe(folder=save_small_bert(tmp_path), max_tokens=32))
    head = build_head(HeadRecipe(hidden_dim=4), text_dim=32, image_dim=32, tasks=single_task("abc"))
    part = unfreeze(encoder.name, encoder.module, "all")

    optimiser = make_optimiser(head, {"text": part}, SETTINGS)

    rates = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimiser.param_groups
        for parameter in group["params"]
    }
    last, first = (
        part.parameters[f"network.encoder.layer.{n}.output.dense.weight"] for n in (1, 0)
    )
    words = part.parameters["network.embeddings.word_embeddings.weight"]
    bias = part.parameters["network.encoder.layer.1.output.dense.bias"]
    assert rates[id(last)] == (0.1, SETTINGS.weight_decay)
    assert rates[id(first)] == (0.05, SETTINGS.weight_decay)
    assert rates[id(words)] == (0.025, SETTINGS.weight_decay)
    assert rates[id(bias)] == (0.1, 0.0)
    assert {rates[id(parameter)][0] for parameter in head.parameters()} == {0.3}

    set_learning_rates(optimiser, 0.5)
    assert max(group["lr"] for group in optimiser.param_groups) == pytest.approx(0.15)


def test_schedule_rises_in_the_warm_up_and_falls_to_nearly_nothing() -> None:
    factors = [schedule(step, 100, 0.1) for step in range(100)]

    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9] == 1.0
    assert factors[:10] == sorted(factors[:10])
    assert factors[9:] == sorted(factors[9:], reverse=True)
    assert 0 < factors[-1] < 0.02


def test_schedule_without_warm_up_starts_in_full() -> None:
    assert schedule(0, 10, 0.0) == 1.0
