"""Fits the candidate's head on original and recent examples together, and judges it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.progress import progress
from exporters.retraining.judgement import Bounds, Judgement, compare_paired
from exporters.retraining.parts import resampled
from exporters.training import Features, LabelledFeatures, Targets, calibrate, fit_head, logits_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from exporters.heads import FusionHead
    from exporters.retraining.live import LiveVariant
    from exporters.retraining.parts import Parts
    from exporters.retraining.recent import RecentExamples
    from exporters.tasks import TaskCalibration
    from exporters.training import TrainedVariant
    from exporters.training.fit import Epoch, FittedHead

_MOST_REPEATS: Final = 4
"""How often a recent example of usual weight counts at most: few of them are not to be learned by
heart."""


@dataclass(frozen=True)
class Candidate:
    """A head that is not published yet.

    Attributes:
        fitted: the head, and how it came to be.
        calibrations: of its one task, for each set of modalities.
        recent_share: of the loss it was fitted to that recent examples had, 0 to 1.
    """

    fitted: FittedHead
    calibrations: dict[ModalitySet, tuple[TaskCalibration, ...]]
    recent_share: float


def fit_candidate(
    variant: TrainedVariant, recent: RecentExamples, parts: Parts, recent_share: float
) -> Candidate:
    """Fits a head.

    Args:
        variant: the recipe's own, with the original examples.
        recent: the joined examples.
        parts: which of them are fitted on.
        recent_share: of the loss that recent examples are to have, above 0 and below 1.
    """
    rng = np.random.default_rng(variant.recipe.seed)
    split = variant.split

    def mixed(original: NDArray[np.int64], new: NDArray[np.int64]) -> tuple[LabelledFeatures, int]:
        wanted = round(len(original) * recent_share / (1 - recent_share))
        count = min(wanted, _MOST_REPEATS * len(new))
        drawn = new[resampled(recent.weights[new], count, rng)] if count else new[:0]
        return _mix(variant, recent, original, drawn), count

    train, train_count = mixed(split.train, parts.train)
    validation, _ = mixed(split.validation, parts.validation)
    recipe = variant.recipe
    with progress(f"Fitting {recipe.head.type}", recipe.training.epochs) as advance:

        def show(epoch: Epoch) -> None:
            advance(note=f"validation loss {epoch.validation_loss:.3f}")

        fitted = fit_head(recipe, train, validation, variant.tasks, on_epoch=show)
    calibrations = {
        modalities: calibrate(
            recipe.asked,
            variant.tasks,
            logits_of(fitted.head, validation.features, modalities),
            validation.targets,
        )
        for modalities in ModalitySet
    }
    return Candidate(fitted, calibrations, train_count / (train_count + len(split.train)))


def judge(
    head: FusionHead,
    live: LiveVariant,
    variant: TrainedVariant,
    recent: RecentExamples,
    parts: Parts,
    bounds: Bounds,
) -> Judgement:
    """Compares a head with the live variant, on recent and on original held-out examples."""
    seed = variant.recipe.seed
    rows, old = parts.held_out, parts.original_holdout
    features = variant.features.take(torch.from_numpy(old))

    def right(
        text: NDArray[np.float32], image: NDArray[np.float32], truth: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        seen = Features(torch.from_numpy(text), torch.from_numpy(image))
        answers = logits_of(head, seen, ModalitySet.BOTH).argmax(dim=1).numpy()
        return live.labels_of(text, image) == truth, answers == truth

    new = right(recent.text[rows], recent.image[rows], recent.truth[rows])
    original = right(
        features.text.numpy(), features.image.numpy(), variant.table.label_indices[old]
    )
    return Judgement(
        recent=compare_paired(*new, recent.weights[rows], parts.groups[rows], seed),
        original=compare_paired(*original, np.ones(len(old)), np.arange(len(old)), seed),
        bounds=bounds,
    )


def as_variant(
    variant: TrainedVariant, candidate: Candidate, parts: Parts, name: str
) -> TrainedVariant:
    """Returns a candidate as a variant of its own name, held out where nothing of it was fitted."""
    recipe = variant.recipe.model_copy(update={"name": name})
    return replace(
        variant,
        inputs=replace(variant.inputs, recipe=recipe),
        head=candidate.fitted.head,
        calibrations=candidate.calibrations,
        split=replace(variant.split, holdout=parts.original_holdout),
    )


def _mix(
    variant: TrainedVariant,
    recent: RecentExamples,
    original: NDArray[np.int64],
    new: NDArray[np.int64],
) -> LabelledFeatures:
    own = variant.features.take(torch.from_numpy(original))
    truth = np.concatenate([variant.table.label_indices[original], recent.truth[new]])
    return LabelledFeatures(
        Features(
            torch.cat([own.text, torch.from_numpy(recent.text[new])]),
            torch.cat([own.image, torch.from_numpy(recent.image[new])]),
        ),
        Targets((torch.from_numpy(truth),)),
    )
