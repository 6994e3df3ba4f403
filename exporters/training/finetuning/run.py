"""From a frozen variant to tuned weights; called where a recipe asks for fine-tuning."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from exporters.recipe_sections import FineTuneRecipe
from exporters.training.finetuning.batches import IMAGE, TEXT, Batches
from exporters.training.finetuning.layers import unfreeze
from exporters.training.finetuning.lesson import Lesson
from exporters.training.finetuning.loop import Work, tune
from exporters.training.finetuning.precision import mixed_precision
from exporters.training.fit import FittedHead
from exporters.training.objective import targets_of
from exporters.training.threads import available_cpus, torch_threads

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from exporters.recipe import Recipe
    from exporters.training.finetuning.layers import Unfrozen
    from exporters.training.variant import TrainedVariant, TrainingInputs


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning leaves.

    Attributes:
        fitted: the head of the best epoch, and all epochs; the first is the frozen start.
        encoders: changed parameters of the text and the image encoder, by side and name; none when
            the frozen start was the best.
    """

    fitted: FittedHead
    encoders: dict[str, dict[str, Tensor]]


def frozen_recipe(recipe: Recipe) -> Recipe:
    """The same recipe without fine-tuning."""
    return recipe.model_copy(update={"finetune": FineTuneRecipe()})


def fine_tune(inputs: TrainingInputs, frozen: TrainedVariant, checkpoint: Path) -> FineTuned:
    """Tunes the last layers of the encoders, and the head with them.

    Args:
        inputs: the recipe, and encoders that may be changed in place.
        frozen: the variant to start from; its encoders are others, and stay as they are.
        checkpoint: folder that a stopped run goes on from.

    Raises:
        EncoderError: an encoder has fewer layers than are to be tuned.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    recipe = inputs.recipe
    precision = mixed_precision(recipe.finetune.precision)
    unfrozen = _unfreeze(inputs)
    for encoder in (inputs.text_encoder, inputs.image_encoder):
        encoder.module.to(precision.device)
    train_rows = torch.from_numpy(frozen.split.train)
    work = Work(
        recipe=recipe,
        head=copy.deepcopy(frozen.head).to(precision.device),
        batches=Batches(
            inputs=inputs,
            tokens=inputs.text_encoder.tokenizer.tokenise(inputs.table.texts),
            frozen=frozen.features,
            unfrozen=unfrozen,
            precision=precision,
        ),
        lesson=Lesson.of(recipe, inputs.table.tasks, targets_of(inputs.table), train_rows),
        train_rows=train_rows,
        validation_rows=torch.from_numpy(frozen.split.validation),
    )
    with torch_threads(available_cpus()):
        tuned = tune(work, checkpoint)
    for encoder in (inputs.text_encoder, inputs.image_encoder):
        encoder.module.cpu()
    by_part = _by_part(tuned.tensors)
    head = copy.deepcopy(frozen.head)
    head.load_state_dict({**head.state_dict(), **by_part.pop("head")})
    return FineTuned(
        FittedHead(head.eval(), tuned.epochs, tuned.best_epoch),
        by_part if tuned.best_epoch > 0 else {},
    )


def _unfreeze(inputs: TrainingInputs) -> dict[str, Unfrozen]:
    settings = inputs.recipe.finetune
    text, image = inputs.text_encoder, inputs.image_encoder
    unfrozen = {}
    if settings.text_layers != 0:
        unfrozen[TEXT] = unfreeze(text.name, text.module, settings.text_layers)
    if settings.image_layers != 0:
        unfrozen[IMAGE] = unfreeze(image.name, image.module, settings.image_layers)
    return unfrozen


def _by_part(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = tensor
    return parts
