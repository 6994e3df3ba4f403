"""Short training that leads a changed encoder back to what the original says.

The original is the teacher and the training split is the data; labels are not needed. Feature
distillation as in Romero et al. 2015, "FitNets: Hints for Thin Deep Nets"; with a temperature,
also the head's answers, as in Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from exporters.compression.side import Side
from exporters.heads import head_for
from exporters.progress import progress
from exporters.training.objective import Objective, distillation_loss, targets_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from exporters.compression.encoder_side import EncoderSide

_BATCHES: Final = {Side.TEXT: 32, Side.IMAGE: 16}
_LEARNING_RATE: Final = 2e-4
_VALIDATED: Final = 96
"""Validation examples that say whether an epoch helped."""


@dataclass(frozen=True)
class Lesson:
    """What is learned from the teacher.

    Attributes:
        epochs: passes over the training split.
        temperature: softens the answers that are to be matched; 0: features alone.
        label_weight: of the true labels beside the teacher's answers; 0: unlabelled pairs do.
    """

    epochs: int
    temperature: float = 0.0
    label_weight: float = 0.0


@dataclass(frozen=True)
class Recovery:
    """How far the features were off before and after, relative to their spread."""

    error_before: float
    error_after: float

    def __str__(self) -> str:
        return (
            f"Features were off by {self.error_before:.3f} of their spread before the recovery "
            f"training and by {self.error_after:.3f} after it (validation examples)."
        )


def recover(module: nn.Module, side: EncoderSide, lesson: Lesson) -> Recovery:
    """Trains a module in place; the state with the smallest validation loss is kept.

    Normalisation statistics stay as they are: there are too few examples to measure them again.
    """
    split = side.variant.split
    validation = [int(row) for row in split.validation[:_VALIDATED]]
    before = _error(module, side, validation)
    if lesson.epochs == 0:
        return Recovery(before, before)
    best = _validation_loss(module, side, validation, lesson)
    best_state = copy.deepcopy(module.state_dict())
    module.eval().requires_grad_(requires_grad=True)
    batch = _BATCHES[side.side]
    steps = lesson.epochs * -(-len(split.train) // batch)
    optimiser = torch.optim.AdamW(module.parameters(), lr=_LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    with progress(f"Recovery of the {side.side} encoder", steps) as advance:
        for _ in range(lesson.epochs):
            shuffled = torch.from_numpy(split.train)[torch.randperm(len(split.train))]
            for rows in torch.split(shuffled, batch):
                loss = _loss(module, side, rows, lesson)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
                optimiser.step()
                schedule.step()
                advance(note=f"loss {loss.item():.3f}")
            loss_now = _validation_loss(module, side, validation, lesson)
            if loss_now < best:
                best, best_state = loss_now, copy.deepcopy(module.state_dict())
    module.load_state_dict(best_state)
    module.requires_grad_(requires_grad=False)
    return Recovery(before, _error(module, side, validation))


def _validation_loss(
    module: nn.Module, side: EncoderSide, rows: Sequence[int], lesson: Lesson
) -> float:
    """The lesson's own loss, so that what is learned beside features counts too."""
    batches = torch.split(torch.tensor(rows), _BATCHES[side.side])
    with torch.inference_mode():
        losses = [float(_loss(module, side, batch, lesson)) * len(batch) for batch in batches]
    return sum(losses) / len(rows)


def _loss(module: nn.Module, side: EncoderSide, rows: Tensor, lesson: Lesson) -> Tensor:
    features = module(*side.tensors(rows.tolist()))
    loss = _relative_error(features, side.features[rows], side)
    if lesson.temperature == 0:
        return loss
    for modalities in (ModalitySet.BOTH, ModalitySet(side.side.value)):
        answers = _answers(side, features, rows, modalities)
        with torch.no_grad():
            taught = _answers(side, side.features[rows], rows, modalities)
        tasks = side.variant.tasks
        loss = loss + distillation_loss(answers, taught, tasks, lesson.temperature)
        if lesson.label_weight:
            targets = targets_of(side.variant.table)
            objective = Objective.of(side.variant.recipe, tasks, targets)
            labelled = objective.loss(answers, targets.take(rows), is_weighted=False)
            loss = loss + lesson.label_weight * labelled
    return loss


def _answers(side: EncoderSide, features: Tensor, rows: Tensor, modalities: ModalitySet) -> Tensor:
    """The head's logits, the other encoder being the original."""
    by_side = {
        Side.TEXT: side.variant.features.text[rows],
        Side.IMAGE: side.variant.features.image[rows],
        side.side: features,
    }
    view = head_for(side.variant.head, modalities).eval()
    wanted = [(modalities.has_text, Side.TEXT), (modalities.has_image, Side.IMAGE)]
    logits: Tensor = view(*(by_side[each] for is_seen, each in wanted if is_seen))
    return logits


def _error(module: nn.Module, side: EncoderSide, rows: Sequence[int]) -> float:
    """Root of the relative error, over some examples."""
    batch = _BATCHES[side.side]
    module.eval()
    with torch.inference_mode():
        features = torch.cat(
            [
                module(*side.tensors(rows[start : start + batch]))
                for start in range(0, len(rows), batch)
            ]
        )
        return float(_relative_error(features, side.features[list(rows)], side).sqrt())


def _relative_error(features: Tensor, taught: Tensor, side: EncoderSide) -> Tensor:
    """Mean squared error in units of the original features' variance."""
    variance = side.features.var(dim=0).mean()
    return (features - taught).square().mean() / variance
