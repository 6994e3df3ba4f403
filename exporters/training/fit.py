"""Fits a fusion head on cached features, with modality dropout and early stopping.

One CPU thread and one seed: the same inputs give the same head, bit by bit, however many cores the
machine has. A head of this size gains nothing from more threads.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from exporters.heads import build_head, require_head
from exporters.training.logits import logits_of
from exporters.training.objective import Objective
from exporters.training.presence import drop_modalities, training_logits
from exporters.training.threads import torch_threads
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.recipe import Recipe
    from exporters.recipe_sections import TrainingRecipe
    from exporters.tasks import Task
    from exporters.training.features import Features
    from exporters.training.objective import Targets

_EXAMPLES_OF_MEASURED_SEQUENCES: Final = 512
"""Thousands of tokens and cells say what their mean is; all would have to be held in memory."""


@dataclass(frozen=True)
class LabelledFeatures:
    """Features and truth of one part of the split.

    Attributes:
        features: of the part's examples.
        targets: their labels in all tasks.
    """

    features: Features
    targets: Targets


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        training_loss: the objective with dropout, mean over the examples; of a head that is fitted
            in parts, the sum of theirs.
        validation_loss: the objective, mean over the sets of modalities.
        validation_accuracy: with the first of those sets, 0 to 1.
    """

    training_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class FittedHead:
    """The head of the best epoch, and how it came to be.

    Attributes:
        head: in evaluation mode.
        epochs: all epochs, in order.
        best_epoch: position in `epochs` of the smallest validation loss.
    """

    head: FusionHead
    epochs: tuple[Epoch, ...]
    best_epoch: int


def fit_head(
    recipe: Recipe,
    train: LabelledFeatures,
    validation: LabelledFeatures,
    tasks: tuple[Task, ...],
    *,
    judged_with: tuple[ModalitySet, ...] = tuple(ModalitySet),
    on_epoch: Callable[[Epoch], None] | None = None,
) -> FittedHead:
    """Fits the recipe's head.

    Args:
        recipe: gives the head, the training settings and the seed.
        train: what the head is fitted on.
        validation: what says when to stop.
        tasks: what is asked, in the order of the logits.
        judged_with: the sets of modalities whose validation loss says when to stop.
        on_epoch: is told each epoch as it ends.

    Raises:
        UnknownNameError: the recipe names a head that is not registered.
    """
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        text, image = _measured(train.features, require_head(recipe.head.type))
        head = build_head(
            recipe.head, text_dim=text.shape[-1], image_dim=image.shape[-1], tasks=tasks
        )
        head.fit_standardisation(text, image)
        objective = Objective.of(recipe, tasks, train.targets)
        optimiser = torch.optim.AdamW(
            head.parameters(),
            lr=recipe.training.learning_rate,
            weight_decay=recipe.training.weight_decay,
        )

        def next_epoch() -> Epoch:
            training_loss = _run_epoch(head, optimiser, recipe, train, objective)
            epoch = Epoch(training_loss, *_validate(head, validation, judged_with, objective))
            if on_epoch is not None:
                on_epoch(epoch)
            return epoch

        return _fit(head, recipe.training, next_epoch)


def _measured(features: Features, head: type[FusionHead]) -> tuple[Tensor, Tensor]:
    """What means and deviations are taken from: all features, or the sequences of some examples."""
    if head.is_over_sequences:
        step = -(-len(features) // _EXAMPLES_OF_MEASURED_SEQUENCES)
        features = features.take(torch.arange(0, len(features), step))
    return features.seen_by(head)


def _fit(head: FusionHead, settings: TrainingRecipe, next_epoch: Callable[[], Epoch]) -> FittedHead:
    epochs: list[Epoch] = []
    best_epoch, best_state = 0, copy.deepcopy(head.state_dict())
    while len(epochs) < settings.epochs and len(epochs) - best_epoch <= settings.patience:
        epochs.append(next_epoch())
        if epochs[-1].validation_loss <= epochs[best_epoch].validation_loss:
            best_epoch, best_state = len(epochs) - 1, copy.deepcopy(head.state_dict())
    head.load_state_dict(best_state)
    return FittedHead(head.eval(), tuple(epochs), best_epoch)


def _run_epoch(
    head: FusionHead,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    train: LabelledFeatures,
    objective: Objective,
) -> float:
    head.train()
    total_loss = 0.0
    shuffled = torch.randperm(len(train.targets))
    for rows in torch.split(shuffled, recipe.training.batch_size):
        batch = train.features.take(rows)
        has_text, has_image = drop_modalities(len(rows), recipe.head.modality_dropout)
        fitted = training_logits(head, batch, has_text, has_image)
        targets = train.targets.take(rows)
        losses = [objective.loss(logits, targets, is_weighted=True) for logits in fitted]
        loss = torch.stack(losses).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
        optimiser.step()
        total_loss += loss.item() * len(rows)
    return total_loss / len(train.targets)


def _validate(
    head: FusionHead,
    validation: LabelledFeatures,
    judged_with: tuple[ModalitySet, ...],
    objective: Objective,
) -> tuple[float, float]:
    """Returns the mean loss over some sets of modalities, and the accuracy with the first."""
    answers = [logits_of(head, validation.features, modalities) for modalities in judged_with]
    losses = [
        float(objective.loss(each, validation.targets, is_weighted=False)) for each in answers
    ]
    return sum(losses) / len(losses), objective.accuracy(answers[0], validation.targets)
