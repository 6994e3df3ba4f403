"""Short training that leads a changed encoder back to what the original says.

The original is the teacher and the training split is the data; labels are not needed. What the head
reads is what is learned: features, or tokens and cells one by one. Feature distillation as in
Romero et al. 2015, "FitNets: Hints for Thin Deep Nets"; with a temperature, also the head's
answers, as in Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from exporters.compression.side import Side
from exporters.heads import head_for
from exporters.heads.sequences import is_position
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
_EXAMPLES_OF_SPREAD: Final = 128
"""Thousands of tokens and cells say what their variance is; all would have to be in memory."""


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
    teacher = _Teacher(side, lesson, _spread(side))
    before = teacher.error(module, validation)
    if lesson.epochs == 0:
        return Recovery(before, before)
    best = teacher.validation_loss(module, validation)
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
                loss = teacher.loss(module, rows.tolist())
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
                optimiser.step()
                schedule.step()
                advance(note=f"loss {loss.item():.3f}")
            loss_now = teacher.validation_loss(module, validation)
            if loss_now < best:
                best, best_state = loss_now, copy.deepcopy(module.state_dict())
    module.load_state_dict(best_state)
    module.requires_grad_(requires_grad=False)
    return Recovery(before, teacher.error(module, validation))


@dataclass(frozen=True)
class _Teacher:
    """The original encoder, as it teaches a changed one.

    Attributes:
        side: the encoder.
        lesson: what is learned.
        spread: variance of what the head reads of the original, mean over its dimensions.
    """

    side: EncoderSide
    lesson: Lesson
    spread: float

    def loss(self, module: nn.Module, rows: Sequence[int]) -> Tensor:
        """The lesson's loss on some examples, a scalar with gradients."""
        side, lesson = self.side, self.lesson
        taught = side.taught(rows)
        said = _said(module, side, rows, taught)
        loss = _squared_error(said, taught) / self.spread
        if lesson.temperature == 0:
            return loss
        tasks = side.variant.tasks
        for modalities in (ModalitySet.BOTH, ModalitySet(side.side.value)):
            answers = _answers(side, said, rows, modalities)
            with torch.no_grad():
                meant = _answers(side, taught, rows, modalities)
            loss = loss + distillation_loss(answers, meant, tasks, lesson.temperature)
            if lesson.label_weight:
                targets = targets_of(side.variant.table)
                objective = Objective.of(side.variant.recipe, tasks, targets)
                truth = targets.take(torch.tensor(rows))
                labelled = objective.loss(answers, truth, is_weighted=False)
                loss = loss + lesson.label_weight * labelled
        return loss

    def validation_loss(self, module: nn.Module, rows: Sequence[int]) -> float:
        """The lesson's own loss, so that what is learned beside features counts too."""
        with torch.inference_mode():
            losses = [float(self.loss(module, each)) * len(each) for each in self._batches(rows)]
        return sum(losses) / len(rows)

    def error(self, module: nn.Module, rows: Sequence[int]) -> float:
        """Root of the mean squared error, relative to the spread, over some examples."""
        module.eval()
        total = 0.0
        with torch.inference_mode():
            for each in self._batches(rows):
                taught = self.side.taught(each)
                error = _squared_error(_said(module, self.side, each, taught), taught)
                total += float(error) * len(each)
        return math.sqrt(total / len(rows) / self.spread)

    def _batches(self, rows: Sequence[int]) -> list[Sequence[int]]:
        size = _BATCHES[self.side.side]
        return [rows[start : start + size] for start in range(0, len(rows), size)]


def _said(module: nn.Module, side: EncoderSide, rows: Sequence[int], taught: Tensor) -> Tensor:
    """What the head would read of a changed encoder, in the shape of what is taught."""
    pooled, sequence = side.encode(module, rows)
    # A batch may be padded further than its longest text.
    return pooled if side.sequences is None else sequence[:, : taught.shape[1]]


def _squared_error(said: Tensor, taught: Tensor) -> Tensor:
    """Mean squared error of features, or of the positions that are no padding."""
    if taught.dim() == 3:
        positions = is_position(taught)
        said, taught = said[positions], taught[positions]  # (positions, dim)
    return (said - taught).square().mean()


def _spread(side: EncoderSide) -> float:
    if side.sequences is None:
        return float(side.features.var(dim=0).mean())
    step = -(-len(side.features) // _EXAMPLES_OF_SPREAD)
    states = side.taught(range(0, len(side.features), step))
    return float(states[is_position(states)].var(dim=0).mean())


def _answers(
    side: EncoderSide, said: Tensor, rows: Sequence[int], modalities: ModalitySet
) -> Tensor:
    """The head's logits, the other encoder being the original."""
    head = side.variant.head
    text, image = side.variant.features.take(torch.tensor(rows)).seen_by(head)
    by_side = {Side.TEXT: text, Side.IMAGE: image, side.side: said}
    view = head_for(head, modalities).eval()
    wanted = [(modalities.has_text, Side.TEXT), (modalities.has_image, Side.IMAGE)]
    logits: Tensor = view(*(by_side[each] for is_seen, each in wanted if is_seen))
    return logits
