"""Publishes a candidate with its proof, its lineage and a drift reference of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporters.evaluation import measure_quality, write_report
from exporters.evaluation.parity import write_proofs
from exporters.evaluation.report import REPORT
from exporters.publishing.export import publish_proved
from exporters.publishing.proof import prove
from exporters.publishing.stage import stage_variant
from exporters.repository.publish import staging
from exporters.retraining.reference import reference_rows
from gateway.contract.manifest import Lineage

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.publishing.export import Published
    from exporters.publishing.stage import StagedVariant
    from exporters.recipe import Recipe
    from exporters.retraining.candidate import Candidate
    from exporters.retraining.judgement import Judgement
    from exporters.retraining.live import LiveVariant
    from exporters.retraining.parts import Parts
    from exporters.retraining.recent import RecentExamples
    from exporters.training import TrainedVariant
    from gateway.contract.drift.reference import DriftReference


def lineage_of(
    live: LiveVariant,
    recent: RecentExamples,
    parts: Parts,
    candidate: Candidate,
    judgement: Judgement,
) -> Lineage:
    """Says what a candidate was made from."""
    assert recent.since is not None  # noqa: S101  # there are examples: that was required
    assert recent.until is not None  # noqa: S101  # the same
    return Lineage(
        parent=live.manifest.variant,
        parent_digest=live.manifest.digest,
        feedback_since=recent.since,
        feedback_until=recent.until,
        feedback_examples=len(recent),
        feedback_digest=recent.digest,
        feedback_share=candidate.recent_share,
        parent_accuracy=judgement.recent.live,
        accuracy=judgement.recent.candidate,
        drift_reference_examples=len(reference_rows(parts)),
    )


def publish_candidate(
    made: TrainedVariant,
    recipe: Recipe,
    lineage: Lineage,
    reference: DriftReference,
    repository: Path,
) -> Published:
    """Converts a candidate, proves it on a real Triton, and publishes it.

    Args:
        made: the candidate.
        recipe: as it was given; the candidate's has a name of its own.
        lineage: what it was made from.
        reference: what its traffic will be compared with.
        repository: that Triton serves from.

    Raises:
        ExporterError: serving or parity failed; nothing was published.
    """
    with staging(repository) as staged_repository:
        staged = stage_variant(made, measure_quality(made), staged_repository, reference=reference)
        proofs = prove(staged, made, staged_repository)
        write_proofs(proofs, made.run_folder)
        write_report(made)
        return publish_proved(
            _with_lineage(staged, recipe, lineage),
            proofs,
            staged_repository,
            repository,
            made.run_folder / REPORT,
        )


def _with_lineage(staged: StagedVariant, recipe: Recipe, lineage: Lineage) -> StagedVariant:
    """Writes into the manifests what the variant was made from; the recipe keeps its own name."""
    update = {"recipe": recipe.name, "recipe_digest": recipe.recipe_digest, "lineage": lineage}
    return replace(
        staged,
        manifests={
            modalities: manifest.model_copy(
                update={"provenance": manifest.provenance.model_copy(update=update)}
            )
            for modalities, manifest in staged.manifests.items()
        },
    )
