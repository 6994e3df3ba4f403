"""The candidate's drift reference: what its traffic is compared with is recent traffic.

The original's would go on saying that traffic has moved, which the candidate was made for. So its
samples are the recent examples that nothing was fitted on, each drawn as often as its weight says.
Its projections stay those of the original examples: fitted on recent ones, they would lie closer to
whatever of these is asked again. Captured answers have no texts: letters are compared with the
language profile of the live variant, by which familiarity was captured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from exporters.drift.published import published_references
from exporters.drift.reference import fit_reference_to
from exporters.drift.sample import FittedOn, Sample
from exporters.drift.sources import answers_of_variant
from exporters.retraining.parts import resampled
from exporters.training import Features
from gateway.contract.drift.language import language_profile

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.retraining.live import LiveVariant
    from exporters.retraining.parts import Parts
    from exporters.retraining.recent import RecentExamples
    from exporters.training import TrainedVariant
    from gateway.contract.drift.reference import DriftReference


def reference_of_candidate(
    made: TrainedVariant,
    recent: RecentExamples,
    parts: Parts,
    live: LiveVariant,
    repository: Path,
) -> DriftReference:
    """Fits the reference of a candidate.

    Args:
        made: the candidate, with the original examples and their split.
        recent: the joined examples.
        parts: of them.
        live: the variant that serves.
        repository: where its reference is, if it has one.
    """
    rows = reference_rows(parts)
    rows = rows[resampled(recent.weights[rows], len(rows), np.random.default_rng(made.recipe.seed))]
    train = made.split.train
    features = made.features
    profile, same_profile = _profile(made, live, repository)
    seen = Features(torch.from_numpy(recent.text[rows]), torch.from_numpy(recent.image[rows]))
    facts = [recent.inputs[row] for row in rows]
    familiarity = [
        each.familiarity
        for each in facts
        if each.familiarity is not None and each.digest in same_profile
    ]
    return fit_reference_to(
        FittedOn(
            image=features.image.numpy()[train],
            text=features.text.numpy()[train],
            language_profile=profile,
        ),
        Sample(
            image=recent.image[rows],
            text=recent.text[rows],
            groups=parts.groups[rows],
            image_files=[each.image_file for each in facts],
            text_shapes=[each.text_shape for each in facts],
            # By different profiles it is no sample of one distribution.
            familiarity=familiarity if len(familiarity) == len(facts) else None,
            answers=answers_of_variant(made, seen),
        ),
        made.recipe.seed,
    )


def reference_rows(parts: Parts) -> NDArray[np.int64]:
    """Returns the recent examples that the reference stands on: nothing was fitted on them."""
    return np.sort(np.concatenate([parts.validation, parts.held_out]))


def _profile(
    made: TrainedVariant, live: LiveVariant, repository: Path
) -> tuple[NDArray[np.uint8], Collection[str]]:
    """Returns the language profile, and the digests whose captured familiarity is by it."""
    profiles = {
        each.manifest.digest: each.reference.language_profile
        for each in published_references(repository)
    }
    ours = profiles.get(live.manifest.digest)
    if ours is None:
        examples = made.table.examples
        return language_profile(examples[row].text for row in made.split.train), ()
    return ours.unpack().astype(np.uint8), {
        digest for digest, profile in profiles.items() if profile == ours
    }
