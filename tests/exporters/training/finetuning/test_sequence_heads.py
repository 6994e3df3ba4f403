"""Fine-tuning under a head that reads tokens and cells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from exporters.finetune_option import with_finetune
from exporters.recipe import load_recipe
from exporters.training import logits_of, train
from exporters.training.finetuning.run import frozen_recipe
from exporters.training.objective import Objective, targets_of
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("layers", ["text=1,image=0", "text=0,image=1"])
def test_head_over_sequences_learns_with_its_encoders(layers: str, tmp_path: Path) -> None:
    recipe = load_recipe(str(write_small_recipe(tmp_path)))
    # Large rates and few epochs: random encoders have to move before anything is learned.
    tuning = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 16}
    recipe = with_finetune(
        recipe.model_copy(
            update={
                "head": recipe.head.model_copy(update={"type": "cross_attention"}),
                "training": recipe.training.model_copy(update={"epochs": 2}),
                "finetune": recipe.finetune.model_copy(update=tuning),
            }
        ),
        layers,
    )
    workspace = Workspace(tmp_path / "workspace")

    variant, frozen = train(recipe, workspace), train(frozen_recipe(recipe), workspace)

    record = json.loads((variant.run_folder / "training.json").read_text(encoding="utf-8"))
    start, tuned = (epoch["validation_loss"] for epoch in record["epochs"])
    assert tuned < start
    for side in ("text", "image"):
        is_tuned = f"{side}=1" in layers
        digests = [getattr(each, f"{side}_encoder").digest for each in (variant, frozen)]
        assert (digests[0] != digests[1]) == is_tuned
    # What was judged in training is what the saved variant says of the features that it is served
    # with: half precision on both sides, and batches of other sizes.
    rows = torch.from_numpy(variant.split.validation)
    features, targets = variant.features.take(rows), targets_of(variant.table).take(rows)
    objective = Objective.of(recipe, variant.tasks, targets)
    losses = [
        float(objective.loss(logits_of(variant.head, features, each), targets, is_weighted=False))
        for each in ModalitySet
    ]
    assert sum(losses) / len(losses) == pytest.approx(tuned, abs=1e-4)
