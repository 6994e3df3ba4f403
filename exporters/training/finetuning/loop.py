"""The fine-tuning itself: steps, epochs, early stopping, checkpoints.

The start is the frozen variant (linear probing, then fine-tuning: Kumar et al. 2022, "Fine-Tuning
can Distort Pretrained Features"): its head is fitted already, so the first gradients do not tear at
the encoders for the sake of a random head. That start counts as the first epoch; when no later one
has a smaller validation loss, it is what is left.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from exporters.progress import progress
from exporters.training.finetuning.checkpoint import Progress, load_checkpoint, save_checkpoint
from exporters.training.finetuning.interruption import interruption
from exporters.training.finetuning.optimiser import make_optimiser, schedule, set_learning_rates
from exporters.training.fit import Epoch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.progress import Advance
    from exporters.recipe import Recipe
    from exporters.training.finetuning.batches import Batches
    from exporters.training.finetuning.lesson import Lesson

_CHECKPOINT_EVERY_S: Final = 120.0


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes:
        tensors: parameters of the best epoch, by the names of `_Tuning.trained`.
        epochs: the first is the frozen start.
        best_epoch: position in `epochs`; 0 when fine-tuning brought nothing.
    """

    tensors: dict[str, Tensor]
    epochs: tuple[Epoch, ...]
    best_epoch: int


@dataclass(frozen=True)
class Work:
    """What is tuned, on what.

    Attributes:
        recipe: gives the settings and the seed.
        head: of the frozen variant, on the device.
        batches: features of rows.
        lesson: labels and loss.
        train_rows: rows that are learned from, int64.
        validation_rows: rows that say when to stop, int64.
    """

    recipe: Recipe
    head: FusionHead
    batches: Batches
    lesson: Lesson
    train_rows: Tensor
    validation_rows: Tensor

    @property
    def rows_of_step(self) -> int:
        """Rows of one optimiser step."""
        return self.recipe.finetune.batch_size * self.recipe.finetune.accumulation_steps

    @property
    def steps_of_epoch(self) -> int:
        """Optimiser steps of one epoch."""
        return math.ceil(len(self.train_rows) / self.rows_of_step)

    @property
    def trained(self) -> dict[str, Tensor]:
        """All that is trained, by name: of the head, and of each tuned encoder."""
        found: dict[str, Tensor] = {
            f"head.{name}": each for name, each in self.head.named_parameters()
        }
        for side, part in self.batches.unfrozen.items():
            found |= {f"{side}.{name}": each for name, each in part.parameters.items()}
        return found


def tune(work: Work, checkpoint: Path, *, clock: Callable[[], float] = time.monotonic) -> Tuned:
    """Trains until the last epoch, or until validation has not improved for long.

    Ctrl-C ends it after the step in hand, with a checkpoint; the same call then goes on from there,
    and ends with the same weights, bit by bit on one machine's CPU, as if it had never stopped.

    Args:
        work: what is tuned.
        checkpoint: folder of the checkpoint; gone when the training has ended.
        clock: seconds; says when the next checkpoint is due.

    Raises:
        KeyboardInterrupt: it was stopped.
    """
    return _Tuning(work, checkpoint, clock).run()


class _Tuning:
    def __init__(self, work: Work, checkpoint: Path, clock: Callable[[], float]) -> None:
        self._work, self._checkpoint, self._clock = work, checkpoint, clock
        self._settings = work.recipe.finetune
        self._optimiser = make_optimiser(work.head, work.batches.unfrozen, self._settings)
        self._trained = work.trained
        found = load_checkpoint(checkpoint, self._trained, self._optimiser)
        if found is None:
            start = Epoch(self._start_loss(), *self._judge())
            self._progress = Progress(0, 0.0, (start,), 0, {})
            self._best = self._copy()
        else:
            self._progress, self._best = found
            if self._progress.scaler:
                work.batches.precision.scaler.load_state_dict(self._progress.scaler)
        self._saved_at_s = clock()

    def run(self) -> Tuned:
        steps = self._work.steps_of_epoch
        with (
            interruption() as wish,
            progress("Fine-tuning, steps", steps * self._settings.epochs) as advance,
        ):
            advance(self._progress.step, note=self._note())
            while not self._has_ended():
                self._make_step(advance)
                if self._progress.step % steps == 0:
                    self._end_epoch(advance)
                if wish.is_asked and not self._has_ended():
                    self._save()
                    raise KeyboardInterrupt
                if self._clock() - self._saved_at_s >= _CHECKPOINT_EVERY_S:
                    self._save()
        return Tuned(self._best, self._progress.epochs, self._progress.best_epoch)

    def _has_ended(self) -> bool:
        done = len(self._progress.epochs) - 1
        waited = done - self._progress.best_epoch
        return done >= self._settings.epochs or waited > self._settings.patience

    def _make_step(self, advance: Advance) -> None:
        work, step = self._work, self._progress.step
        scaler = work.batches.precision.scaler
        rows = self._rows(step)
        loss_sum = self._progress.loss_sum
        self._set_training()
        self._optimiser.zero_grad()
        with torch.random.fork_rng(devices=_cuda_devices()):
            torch.manual_seed(_seed(work.recipe.seed, "step", step))
            for part in torch.split(rows, self._settings.batch_size):
                loss = work.lesson.loss(work.head, work.batches.features(part), part)
                scaler.scale(loss * (len(part) / len(rows))).backward()  # type: ignore[no-untyped-call]
                loss_sum += loss.item() * len(part)
        scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(
            list(self._trained.values()), self._settings.max_gradient_norm
        )
        total = work.steps_of_epoch * self._settings.epochs
        set_learning_rates(self._optimiser, schedule(step, total, self._settings.warmup_ratio))
        scaler.step(self._optimiser)
        scaler.update()
        self._progress = replace(self._progress, step=step + 1, loss_sum=loss_sum)
        advance(note=self._note())

    def _end_epoch(self, advance: Advance) -> None:
        before = self._progress
        training_loss = before.loss_sum / len(self._work.train_rows)
        epochs = (*before.epochs, Epoch(training_loss, *self._judge()))
        best_epoch = before.best_epoch
        if epochs[-1].validation_loss < epochs[best_epoch].validation_loss:
            best_epoch, self._best = len(epochs) - 1, self._copy()
        self._progress = replace(before, loss_sum=0.0, epochs=epochs, best_epoch=best_epoch)
        advance(0, note=self._note())

    def _rows(self, step: int) -> Tensor:
        """The training rows of a step: a slice of its epoch's order."""
        epoch, position = divmod(step, self._work.steps_of_epoch)
        generator = torch.Generator().manual_seed(_seed(self._work.recipe.seed, "epoch", epoch))
        order = torch.randperm(len(self._work.train_rows), generator=generator)
        width = self._work.rows_of_step
        return self._work.train_rows[order[position * width : (position + 1) * width]]

    def _judge(self) -> tuple[float, float]:
        work = self._work
        for _, module in self._tuned_modules():
            module.eval()
        features = work.batches.evaluated(work.validation_rows)
        head = work.head.cpu().eval()
        judged = work.lesson.judge(head, features, work.validation_rows)
        head.to(work.batches.precision.device)
        return judged

    def _start_loss(self) -> float:
        """The frozen head's loss on the training rows; without dropout, unlike that of an epoch."""
        frozen = self._work.batches.frozen.take(self._work.train_rows)
        return self._work.lesson.judge(self._work.head.cpu(), frozen, self._work.train_rows)[0]

    def _set_training(self) -> None:
        self._work.head.train()
        for side, module in self._tuned_modules():
            self._work.batches.unfrozen[side].set_training(module)

    def _tuned_modules(self) -> list[tuple[str, torch.nn.Module]]:
        inputs = self._work.batches.inputs
        modules = {"text": inputs.text_encoder.module, "image": inputs.image_encoder.module}
        return [(side, modules[side]) for side in self._work.batches.unfrozen]

    def _copy(self) -> dict[str, Tensor]:
        return {name: each.detach().cpu().clone() for name, each in self._trained.items()}

    def _save(self) -> None:
        scaler = self._work.batches.precision.scaler
        now = replace(self._progress, scaler=scaler.state_dict() if scaler.is_enabled() else {})
        save_checkpoint(self._checkpoint, now, self._trained, self._best, self._optimiser)
        self._saved_at_s = self._clock()

    def _note(self) -> str:
        last, best = self._progress.epochs[-1], self._progress.best_epoch
        return f"validation loss {last.validation_loss:.3f}, best epoch {best}"


def _seed(seed: int, what: str, number: int) -> int:
    """A seed of 63 bits for one draw, so that no generator has to be kept."""
    digest = hashlib.sha256(f"{seed}/{what}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _cuda_devices() -> list[int]:
    return list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
