"""Fits projections by InfoNCE: each image finds its text among those of a batch, and back.

One CPU thread and one seed: the same inputs give the same projections, bit by bit.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from exporters.alignment.projections import fit_standardisation, untrained_projections
from exporters.training.threads import torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from exporters.alignment.projections import Projections
    from exporters.recipe import Recipe
    from exporters.recipe_sections import DualTowerRecipe
    from exporters.training import Features


@dataclass(frozen=True)
class Pairs:
    """Images with their texts.

    Attributes:
        features: of the pairs.
        groups: pairs of one group have the same text or twin images, shape (pairs,), int64.
    """

    features: Features
    groups: Tensor

    def take(self, positions: Tensor) -> Pairs:
        """Returns the pairs at `positions`, shape (selected,), int64."""
        return Pairs(self.features.take(positions), self.groups[positions])


@dataclass(frozen=True)
class AlignmentEpoch:
    """What one epoch came to: InfoNCE loss in nats, mean over the pairs of a part."""

    training_loss: float
    validation_loss: float


@dataclass(frozen=True)
class Alignment:
    """The projections of the best epoch, in evaluation mode, and how they came to be."""

    projections: Projections
    epochs: tuple[AlignmentEpoch, ...]
    best_epoch: int


def info_nce(projections: Projections, pairs: Pairs) -> Tensor:
    """Symmetric InfoNCE (van den Oord et al. 2018; Radford et al. 2021, figure 3), a scalar.

    A pair of the same group is no wrong answer: it has the same text, or nearly the same image.
    """
    image = projections.embed_image(pairs.features.image)
    text = projections.embed_text(pairs.features.text)
    logits = projections.scale * (image @ text.T)  # (images, texts)
    is_twin = pairs.groups[:, None] == pairs.groups[None, :]
    is_twin.fill_diagonal_(fill_value=False)
    logits = logits.masked_fill(is_twin, -math.inf)
    own = torch.arange(len(logits))
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def fit_projections(
    recipe: Recipe,
    towers: DualTowerRecipe,
    train: Pairs,
    validation: Pairs,
    on_epoch: Callable[[AlignmentEpoch], None],
) -> Alignment:
    """Fits projections, and stops when validation pairs are no longer told apart better.

    Args:
        recipe: gives the training settings and the seed.
        towers: the recipe's [dual_tower].
        train: what they are fitted on.
        validation: what says when to stop; of labels that training does not see.
        on_epoch: is told each epoch as it ends.
    """
    settings = recipe.training
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        projections = untrained_projections(
            train.features.text.shape[1], train.features.image.shape[1], towers.dim, towers.dropout
        )
        fit_standardisation(projections, train.features)
        weights = [each for each in projections.parameters() if each is not projections.log_scale]
        optimiser = torch.optim.AdamW(
            [
                {"params": weights, "weight_decay": settings.weight_decay},
                # Decay would pull the scale to 1, where all labels look alike.
                {"params": [projections.log_scale], "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
        )
        epochs: list[AlignmentEpoch] = []
        best_epoch, best_state = 0, copy.deepcopy(projections.state_dict())
        while len(epochs) < settings.epochs and len(epochs) - best_epoch <= settings.patience:
            training_loss = _run_epoch(projections, optimiser, train, settings.batch_size)
            projections.eval()
            with torch.inference_mode():
                validation_loss = float(info_nce(projections, validation))
            epochs.append(AlignmentEpoch(training_loss, validation_loss))
            if validation_loss <= epochs[best_epoch].validation_loss:
                best_epoch = len(epochs) - 1
                best_state = copy.deepcopy(projections.state_dict())
            on_epoch(epochs[-1])
        projections.load_state_dict(best_state)
        return Alignment(projections.eval(), tuple(epochs), best_epoch)


def _run_epoch(
    projections: Projections, optimiser: torch.optim.Optimizer, train: Pairs, batch_size: int
) -> float:
    projections.train()
    total_loss = 0.0
    for rows in torch.split(torch.randperm(len(train.groups)), batch_size):
        loss = info_nce(projections, train.take(rows))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
        optimiser.step()
        total_loss += loss.item() * len(rows)
    return total_loss / len(train.groups)
