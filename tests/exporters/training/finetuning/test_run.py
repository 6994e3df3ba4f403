"""Fine-tuning through the whole path, with small random encoders."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
import torch

from exporters.errors import ComparisonError
from exporters.evaluation.finetuning_gain import finetuning_gain
from exporters.finetune_option import with_finetune
from exporters.recipe import Recipe, load_recipe
from exporters.training import TrainedVariant, load_inputs, load_trained, logits_of, train
from exporters.training.finetuning import loop
from exporters.training.finetuning.files import read_tuned_weights
from exporters.training.finetuning.run import fine_tune, frozen_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.progress import Advance
    from exporters.training.finetuning.run import FineTuned

# Large rates and few epochs: random encoders have to move before anything is learned.
_SECTION = """
[finetune]
text_layers = 1
image_layers = 1
epochs = 2
learning_rate = 1e-3
batch_size = 16
accumulation_steps = 2
"""


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = write_small_recipe(tmp_path_factory.mktemp("recipe"))
    file.write_text(file.read_text(encoding="utf-8") + _SECTION, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(str(recipe_file))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def variant(recipe: Recipe, workspace: Workspace) -> TrainedVariant:
    return train(recipe, workspace)


@pytest.fixture(scope="module")
def frozen(recipe: Recipe, workspace: Workspace, variant: TrainedVariant) -> TrainedVariant:
    return train(frozen_recipe(recipe), workspace)


def interrupted_at_step(patch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Sends Ctrl-C after so many steps; returns the list that every step is counted in."""
    steps: list[int] = []
    make_step = loop._Tuning._make_step

    def interrupt(tuning: loop._Tuning, advance: Advance) -> None:
        make_step(tuning, advance)
        steps.append(len(steps))
        if len(steps) == number:
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr(loop._Tuning, "_make_step", interrupt)
    return steps


def tensors_of(tuned: FineTuned) -> dict[str, torch.Tensor]:
    found = {f"head.{name}": each for name, each in tuned.fitted.head.state_dict().items()}
    for side, tensors in tuned.encoders.items():
        found |= {f"{side}.{name}": each for name, each in tensors.items()}
    return found


def test_train_with_finetune_changes_the_last_layer_of_each_encoder_and_nothing_else(
    variant: TrainedVariant, frozen: TrainedVariant
) -> None:
    for side in ("text_encoder", "image_encoder"):
        tuned = getattr(variant, side).module.state_dict()
        before = getattr(frozen, side).module.state_dict()
        changed = {name for name in before if not torch.equal(tuned[name], before[name])}

        assert any(".layer.1." in name or ".layers.1." in name for name in changed)
        assert not any("embeddings" in name for name in changed)
        assert not any(".layer.0." in name or ".layers.0." in name for name in changed)
        assert getattr(variant, side).digest != getattr(frozen, side).digest


def test_train_with_finetune_gives_features_and_head_that_loading_gives_again(
    recipe: Recipe, workspace: Workspace, variant: TrainedVariant, frozen: TrainedVariant
) -> None:
    loaded = load_trained(recipe, workspace)

    assert loaded is not None
    assert loaded.run_folder == variant.run_folder
    assert loaded.text_encoder.digest == variant.text_encoder.digest
    assert not torch.equal(loaded.features.text, frozen.features.text)
    for modalities in ModalitySet:
        answers = logits_of(loaded.head, loaded.features, modalities)
        assert torch.equal(answers, logits_of(variant.head, variant.features, modalities))
    assert not list((workspace.root / "finetuning").glob("*"))  # no checkpoint is left


def test_train_with_finetune_starts_at_the_frozen_validation_loss_and_lowers_it(
    variant: TrainedVariant, frozen: TrainedVariant
) -> None:
    start, *_ = epochs = json.loads((variant.run_folder / "training.json").read_text())["epochs"]
    record = json.loads((frozen.run_folder / "training.json").read_text())
    best = record["epochs"][record["best_epoch"]]["validation_loss"]

    # The same head on the same features, summed in batches of another size.
    assert start["validation_loss"] == pytest.approx(best, abs=1e-5)
    assert min(epoch["validation_loss"] for epoch in epochs[1:]) < start["validation_loss"]


def test_report_sets_tuned_against_frozen_on_the_same_examples(
    variant: TrainedVariant, frozen: TrainedVariant
) -> None:
    gains = finetuning_gain(variant)
    rows = torch.from_numpy(frozen.split.holdout)
    truth = torch.from_numpy(frozen.table.label_indices)[rows]
    answers = logits_of(frozen.head, frozen.features.take(rows), ModalitySet.BOTH)

    gain = gains[ModalitySet.BOTH]
    assert gain.frozen == pytest.approx(float((answers.argmax(-1) == truth).double().mean()))
    assert gain.interval[0] <= gain.tuned - gain.frozen <= gain.interval[1]
    assert finetuning_gain(frozen) == {}


@pytest.mark.parametrize("interrupted_after", [1, 9])  # in the first epoch of 8 steps, the second
def test_fine_tune_interrupted_and_resumed_ends_with_the_same_bits(
    workspace: Workspace,
    variant: TrainedVariant,
    frozen: TrainedVariant,
    tmp_path: Path,
    interrupted_after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = variant.recipe
    steps = interrupted_at_step(monkeypatch, interrupted_after)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(load_inputs(recipe, workspace), frozen, tmp_path / "checkpoint")
    torch.rand(5)  # what others draw in between is no part of it
    resumed = fine_tune(load_inputs(recipe, workspace), frozen, tmp_path / "checkpoint")

    expected = {f"head.{name}": each for name, each in variant.head.state_dict().items()}
    for side, tensors in read_tuned_weights(variant.run_folder).items():
        expected |= {f"{side}.{name}": each for name, each in tensors.items()}
    found = tensors_of(resumed)
    assert len(steps) == 16  # two epochs of 8 steps of 32 rows: none was made twice
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_fine_tune_that_only_makes_it_worse_leaves_the_frozen_start(
    recipe: Recipe, workspace: Workspace, frozen: TrainedVariant, tmp_path: Path
) -> None:
    ruinous = recipe.finetune.model_copy(
        update={"learning_rate": 1.0, "head_learning_rate": 10.0, "warmup_ratio": 0.0}
    )
    inputs = load_inputs(recipe.model_copy(update={"finetune": ruinous}), workspace)

    tuned = fine_tune(inputs, frozen, tmp_path / "checkpoint")

    assert tuned.fitted.best_epoch == 0
    assert tuned.encoders == {}
    state = frozen.head.state_dict()
    assert all(
        torch.equal(each, state[name]) for name, each in tuned.fitted.head.state_dict().items()
    )


def test_fine_tune_in_bf16_learns_too(
    recipe: Recipe, workspace: Workspace, frozen: TrainedVariant, tmp_path: Path
) -> None:
    half = recipe.finetune.model_copy(update={"precision": "bf16", "text_layers": "all"})
    inputs = load_inputs(recipe.model_copy(update={"finetune": half}), workspace)

    tuned = fine_tune(inputs, frozen, tmp_path / "checkpoint")

    assert tuned.fitted.best_epoch > 0
    assert "network.embeddings.word_embeddings.weight" in tuned.encoders["text"]
    assert {each.dtype for each in tuned.encoders["text"].values()} == {torch.float32}


def test_compare_refuses_a_fine_tuned_recipe(recipe: Recipe, workspace: Workspace) -> None:
    from exporters.comparison import compare

    with pytest.raises(ComparisonError, match="frozen start"):
        compare([recipe], [], 2, workspace)


def test_train_interrupted_while_it_is_tuned_keeps_a_checkpoint_and_no_run(
    recipe: Recipe, workspace: Workspace, variant: TrainedVariant, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = recipe.model_copy(
        update={"finetune": recipe.finetune.model_copy(update={"epochs": 3})}
    )
    interrupted_at_step(monkeypatch, 2)
    runs = set((workspace.root / "runs").iterdir())

    with pytest.raises(KeyboardInterrupt):
        train(longer, workspace)

    [checkpoint] = (workspace.root / "finetuning").iterdir()
    assert {path.suffix for path in checkpoint.iterdir()} == {".safetensors", ".json"}
    assert set((workspace.root / "runs").iterdir()) == runs
    monkeypatch.undo()
    resumed = train(longer, workspace)
    assert resumed.run_folder not in runs
    assert not checkpoint.exists()


def test_finetune_option_overrides_the_recipe(recipe: Recipe) -> None:
    tuned = with_finetune(recipe, "text=all,image=0").finetune

    assert (tuned.text_layers, tuned.image_layers) == ("all", 0)
    assert tuned.learning_rate == recipe.finetune.learning_rate
