"""One candidate in one fold: fitted, calibrated and asked; kept, so that a second run goes on.

A file is named by all that it was computed from, and is safetensors: reading it runs no code.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from exporters.atomic import atomic_file
from exporters.digests import digest_of_json, digest_of_source
from exporters.tasks import all_decisions, all_probabilities
from exporters.training import LabelledFeatures, calibrate, fit_head, logits_of, targets_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from exporters.comparison.candidates import Candidate
    from exporters.data import Split
    from exporters.workspace import Workspace

_CODE: Final = (
    "exporters.comparison.candidates",
    "exporters.heads",
    "exporters.tasks",
    "exporters.training",
    __name__,
)
_FIGURES: Final = "figures"
_DECIDED: Final = ".decided"


@dataclass(frozen=True)
class FoldFit:
    """What a fitted candidate says of the examples that its fold holds out.

    Attributes:
        probabilities: calibrated, for each set of modalities, shape (held-out, labels of all
            tasks), float64.
        decided: which labels it answers with, the same shape, bool.
        fit_cpu_s: processor time of the fit on cached features; it has one thread, so on a core of
            its own it takes as long.
        epochs: epochs that were run.
        learned_weights: see `FusionHead.learned_weights`.
    """

    probabilities: dict[ModalitySet, NDArray[np.float64]]
    decided: dict[ModalitySet, NDArray[np.bool_]]
    fit_cpu_s: float
    epochs: int
    learned_weights: dict[str, float]


def fit_in_fold(candidate: Candidate, fold: Split, workspace: Workspace) -> FoldFit:
    """Fits a candidate, or reads what was fitted from the same before.

    The validation part stops the fit and calibrates; nothing is chosen by the held-out part.
    """
    file = workspace.fold_fit_file(_key(candidate, fold))
    if not file.is_file():
        with atomic_file(file) as path:
            _fit(candidate, fold, path)
    return _read(file)


def _key(candidate: Candidate, fold: Split) -> str:
    inputs = candidate.inputs
    return digest_of_json(
        {
            "recipe": candidate.recipe.training_digest,
            "modalities": candidate.modalities,
            "is_baseline": candidate.is_baseline,
            "data": inputs.table.digest,
            "encoders": [inputs.text_encoder.digest, inputs.image_encoder.digest],
            "fold": {part: positions.tolist() for part, positions in vars(fold).items()},
            "code": digest_of_source(_CODE),
            "torch": torch.__version__,
        }
    )


def _fit(candidate: Candidate, fold: Split, file: Path) -> None:
    table = candidate.inputs.table
    targets = targets_of(table)

    def part(positions: NDArray[np.int64]) -> LabelledFeatures:
        rows = torch.from_numpy(positions)
        return LabelledFeatures(candidate.features.take(rows), targets.take(rows))

    train, validation, holdout = part(fold.train), part(fold.validation), part(fold.holdout)
    started_cpu_s = time.process_time()
    fitted = fit_head(
        candidate.recipe,
        train,
        validation,
        table.tasks,
        judged_with=candidate.modalities,
    )
    fit_cpu_s = time.process_time() - started_cpu_s
    answers: dict[str, NDArray[Any]] = {}
    for modalities in candidate.modalities:
        seen = logits_of(fitted.head, validation.features, modalities)
        calibrations = calibrate(candidate.recipe.asked, table.tasks, seen, validation.targets)
        logits = logits_of(fitted.head, holdout.features, modalities).numpy()
        probabilities = all_probabilities(logits, table.tasks, calibrations)
        answers[modalities.value] = probabilities
        answers[modalities + _DECIDED] = all_decisions(probabilities, table.tasks, calibrations)
    figures = {
        "fit_cpu_s": fit_cpu_s,
        "epochs": len(fitted.epochs),
        "learned_weights": fitted.head.learned_weights(),
    }
    save_file(answers, file, metadata={_FIGURES: json.dumps(figures)})


def _read(file: Path) -> FoldFit:
    with safe_open(file, framework="numpy") as content:
        names = [name for name in content.keys() if not name.endswith(_DECIDED)]  # noqa: SIM118 - not a dict
        probabilities = {ModalitySet(name): content.get_tensor(name) for name in names}
        decided = {ModalitySet(name): content.get_tensor(name + _DECIDED) for name in names}
        figures = json.loads(content.metadata()[_FIGURES])
    return FoldFit(probabilities, decided, **figures)
