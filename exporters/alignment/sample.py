"""One held-out example of a dual tower to try it with when it is served, and labels to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from exporters.alignment.projections import embeddings_of
from exporters.training.sample import save_sample
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.alignment.towers import AlignedTowers
    from exporters.workspace import Workspace

_MOST_LABELS: Final = 8  # as many as a command line bears


def write_zero_shot_sample(towers: AlignedTowers, workspace: Workspace) -> Path:
    """Writes the held-out example whose own label is nearest to it, among a few other labels.

    Returns:
        The folder.
    """
    examples = towers.holdout_examples
    labels = towers.holdout_labels[:_MOST_LABELS]
    rows = [row for row, example in enumerate(examples) if example.label in labels]
    features = towers.features.take(torch.from_numpy(towers.split.holdout[rows]))
    embeddings = embeddings_of(towers.projections, features, ModalitySet.BOTH)
    cosines = embeddings @ towers.label_directions(labels).T  # (examples, labels)
    truth = torch.tensor([labels.index(examples[row].label) for row in rows])
    is_right = cosines.argmax(dim=-1) == truth
    best = int((cosines.gather(1, truth[:, None])[:, 0] + is_right).argmax())
    folder = workspace.sample_folder(towers.recipe.name)
    return save_sample(
        examples[rows[best]], folder, labels, further=(examples[row] for row in rows)
    )
