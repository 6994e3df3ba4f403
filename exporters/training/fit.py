"""Fits a fusion head on cached features, with modality dropout and early stopping.

One CPU thread and one seed: the same inputs give the same head, bit by bit, however many cores the
machine has. A head of this size gains nothing from more threads.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from exporters.heads import build_head
from exporters.progress import progress
from exporters.training.logits import logits_of
from exporters.training.threads import torch_threads
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.recipe import Recipe
    from exporters.training.features import Features


@dataclass(frozen=True)
class LabelledFeatures:
    """Features and labels of one part of the split.

    Attributes:
        features: of the part's examples.
        labels: index of each example's label, shape (examples,), int64.
    """

    features: Features
    labels: Tensor


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        training_loss: weighted cross-entropy with dropout, mean over the examples.
        validation_loss: cross-entropy, mean over the examples and the three sets of modalities.
        validation_accuracy: with both modalities, 0 to 1.
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
    recipe: Recipe, train: LabelledFeatures, validation: LabelledFeatures, labels: int
) -> FittedHead:
    """Fits the recipe's head.

    Args:
        recipe: gives the head, the training settings and the seed.
        train: what the head is fitted on.
        validation: what says when to stop.
        labels: number of labels.

    Raises:
        UnknownNameError: the recipe names a head that is not registered.
    """
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        head = build_head(
            recipe.head,
            text_dim=train.features.text.shape[1],
            image_dim=train.features.image.shape[1],
            labels=labels,
        )
        head.fit_standardisation(train.features.text, train.features.image)
        return _fit(head, recipe, train, validation, labels)


def _fit(
    head: FusionHead,
    recipe: Recipe,
    train: LabelledFeatures,
    validation: LabelledFeatures,
    labels: int,
) -> FittedHead:
    settings = recipe.training
    optimiser = torch.optim.AdamW(
        head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    is_balanced = settings.class_weights == "balanced"
    class_weights = _balanced_weights(train.labels, labels) if is_balanced else None
    epochs: list[Epoch] = []
    best_epoch, best_state = 0, copy.deepcopy(head.state_dict())
    with progress(f"Fitting {recipe.head.type}", settings.epochs) as advance:
        while len(epochs) < settings.epochs and len(epochs) - best_epoch <= settings.patience:
            training_loss = _run_epoch(head, optimiser, recipe, train, class_weights)
            epoch = Epoch(training_loss, *_validate(head, validation))
            epochs.append(epoch)
            if epoch.validation_loss <= epochs[best_epoch].validation_loss:
                best_epoch, best_state = len(epochs) - 1, copy.deepcopy(head.state_dict())
            advance(note=f"validation loss {epoch.validation_loss:.3f}")
        best_loss = epochs[best_epoch].validation_loss
        advance(0, note=f"best after {best_epoch + 1} epochs: validation loss {best_loss:.3f}")
    head.load_state_dict(best_state)
    return FittedHead(head.eval(), tuple(epochs), best_epoch)


def _run_epoch(
    head: FusionHead,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    train: LabelledFeatures,
    class_weights: Tensor | None,
) -> float:
    head.train()
    total_loss = 0.0
    shuffled = torch.randperm(len(train.labels))
    for rows in torch.split(shuffled, recipe.training.batch_size):
        batch = train.features.take(rows)
        has_text, has_image = _drop_modalities(len(rows), recipe.head.modality_dropout)
        logits = head(batch.text, batch.image, has_text, has_image)
        loss = functional.cross_entropy(logits, train.labels[rows], weight=class_weights)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
        optimiser.step()
        total_loss += loss.item() * len(rows)
    return total_loss / len(train.labels)


def _drop_modalities(rows: int, ratio: float) -> tuple[Tensor, Tensor]:
    """Draws which rows keep their text and which their image; no row loses both.

    One draw decides: the lowest `ratio` loses the text, the highest `ratio` the image.
    """
    draw = torch.rand(rows)
    return draw >= ratio, draw < 1 - ratio


def _validate(head: FusionHead, validation: LabelledFeatures) -> tuple[float, float]:
    """Returns the loss over the three sets of modalities, and the accuracy with both."""
    losses, accuracy = [], 0.0
    for modalities in ModalitySet:
        logits = logits_of(head, validation.features, modalities)
        losses.append(float(functional.cross_entropy(logits, validation.labels)))
        if modalities is ModalitySet.BOTH:
            accuracy = float((logits.argmax(dim=-1) == validation.labels).double().mean())
    return sum(losses) / len(losses), accuracy


def _balanced_weights(label_indices: Tensor, labels: int) -> Tensor:
    """Returns a weight a label, shape (labels,): rare labels count as much as common ones."""
    counts = torch.bincount(label_indices, minlength=labels).clamp_min(1)
    return len(label_indices) / (labels * counts.float())
