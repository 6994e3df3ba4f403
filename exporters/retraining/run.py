"""One retraining: join, fit, judge, and publish what is no worse."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from exporters.digests import digest_of_json
from exporters.heads import require_head
from exporters.retraining.candidate import as_variant, fit_candidate, judge
from exporters.retraining.errors import (
    NotRetrainableError,
    TooLittleFeedbackError,
    WorseCandidateError,
)
from exporters.retraining.judgement import Bounds
from exporters.retraining.live import find_live
from exporters.retraining.lock import only_retraining
from exporters.retraining.parts import divide
from exporters.retraining.publication import lineage_of, publish_candidate
from exporters.retraining.recent import join_recent, read_feedback
from exporters.retraining.reference import reference_of_candidate
from exporters.retraining.report import write_retraining_report
from exporters.retraining.rules import Rules, write_rules
from exporters.training import train
from exporters.training.variant import save_variant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from exporters.publishing.export import Published
    from exporters.recipe import Recipe
    from exporters.retraining.judgement import Judgement
    from exporters.retraining.live import LiveVariant
    from exporters.retraining.parts import Parts
    from exporters.retraining.recent import RecentExamples
    from exporters.training import TrainedVariant
    from exporters.workspace import Workspace

LEAST_HELD_OUT: Final = 30
"""Recent examples that a judgement needs at least; fewer say nothing either way."""

_LEAST_ORIGINAL: Final = 10  # to measure its quality and prove its parity on
_NAME_DIGITS: Final = 8


@dataclass(frozen=True)
class Request:
    """What is asked of a retraining.

    Attributes:
        captures: folders of captured answers.
        database: URL of the gateway's.
        since: predictions before are left out; None: none are.
        live: name of the variant that serves; None: the recipe's.
        recent_share: of the loss that recent examples are to have.
        bounds: largest losses that are accepted.
        shadow_share: of the live variant's requests that the candidate sees.
    """

    captures: Sequence[Path]
    database: str
    since: datetime | None = None
    live: str | None = None
    recent_share: float = 0.5
    bounds: Bounds = field(default_factory=Bounds)
    shadow_share: float = 0.05


@dataclass(frozen=True)
class Retrained:
    """A published candidate.

    Attributes:
        variant: its name.
        published: its models and report.
        judgement: against the live variant.
        report: what it was made from, and the judgement.
        rules: the experiment and the shadow that bring it to traffic.
        rules_file: the same, as TOML for an experiments file.
    """

    variant: str
    published: Published
    judgement: Judgement
    report: Path
    rules: Rules
    rules_file: Path


def retrain(recipe: Recipe, workspace: Workspace, repository: Path, asked: Request) -> Retrained:
    """Makes a candidate of original data and feedback, and publishes it if it is no worse.

    Raises:
        NotRetrainableError: the recipe or the live variant is of a kind that is not retrained.
        TooLittleFeedbackError: too few labelled predictions were captured.
        WorseCandidateError: it may be worse than what serves; nothing was published.
        RetrainingRunsError: another retraining of the recipe is at work.
        ExporterError: data, capture, database, serving or parity failed.
    """
    with only_retraining(recipe.name, workspace.retraining_lock_file(recipe.name)):
        return _retrain(recipe, workspace, repository, asked)


def _retrain(recipe: Recipe, workspace: Workspace, repository: Path, asked: Request) -> Retrained:
    _require_retrainable(recipe)
    live = find_live(repository, asked.live or recipe.name, recipe)
    recent = join_recent(
        asked.captures,
        read_feedback(asked.database, asked.since),
        labels=live.manifest.labels,
        digests=live.digests,
        since=asked.since,
    )
    if len(recent) < LEAST_HELD_OUT:
        raise TooLittleFeedbackError(
            len(recent), LEAST_HELD_OUT, "captured predictions with a label", recent.left_out_text
        )
    variant = train(recipe, workspace)
    _require_same_space(variant, live, recent)
    parts = divide(variant, recent)
    _require_enough(parts, recent)
    candidate = fit_candidate(variant, recent, parts, asked.recent_share)
    judgement = judge(candidate.fitted.head, live, variant, recent, parts, asked.bounds)
    digest = _digest(live, recent, recipe, asked)
    name = f"{recipe.name[:50]}-r{digest[:_NAME_DIGITS]}"
    made = replace(
        as_variant(variant, candidate, parts, name),
        run_folder=workspace.run_folder(name, digest),
    )
    save_variant(candidate.fitted, made.calibrations, made.split, made.inputs, made.run_folder)
    lineage = lineage_of(live, recent, parts, candidate, judgement)
    rules = Rules(recipe.name, live.manifest.variant, name, asked.shadow_share)
    report = write_retraining_report(made, lineage, judgement, recent, parts)
    if (reason := judgement.refusal) is not None:
        raise WorseCandidateError(reason, report)
    rules_file = write_rules(rules, made.run_folder)
    reference = reference_of_candidate(made, recent, parts, live, repository)
    published = publish_candidate(made, recipe, lineage, reference, repository)
    return Retrained(name, published, judgement, report, rules, rules_file)


def _require_retrainable(recipe: Recipe) -> None:
    if recipe.dual_tower is not None:
        raise NotRetrainableError(recipe.name, "it is a dual tower")
    if recipe.tasks:
        raise NotRetrainableError(recipe.name, "it has [[tasks]]")
    if recipe.finetune.is_on:
        raise NotRetrainableError(recipe.name, "its encoders are fine-tuned")
    if require_head(recipe.head.type).is_over_sequences:
        raise NotRetrainableError(recipe.name, f"head '{recipe.head.type}' reads sequences")


def _require_same_space(variant: TrainedVariant, live: LiveVariant, recent: RecentExamples) -> None:
    """Holds the recipe's features and labels against those of what serves."""
    ours = (variant.features.text.shape[1], variant.features.image.shape[1])
    provenance = live.manifest.provenance
    names = (provenance.text_encoder, provenance.image_encoder)
    if names != (variant.text_encoder.name, variant.image_encoder.name) or ours != (
        recent.text.shape[1],
        recent.image.shape[1],
    ):
        raise NotRetrainableError(live.manifest.variant, "its encoders are not the recipe's")
    if live.manifest.labels != variant.labels:
        raise NotRetrainableError(live.manifest.variant, "its labels are not the recipe's")


def _require_enough(parts: Parts, recent: RecentExamples) -> None:
    for found, needed, what in (
        (len(parts.held_out), LEAST_HELD_OUT, "recent examples that can be held out"),
        (len(parts.train), 1, "recent examples that can be fitted on"),
        (
            len(parts.original_holdout),
            _LEAST_ORIGINAL,
            "original held-out examples without a twin among those fitted on",
        ),
    ):
        if found < needed:
            raise TooLittleFeedbackError(found, needed, what, recent.left_out_text)


def _digest(live: LiveVariant, recent: RecentExamples, recipe: Recipe, asked: Request) -> str:
    return digest_of_json(
        {
            "parent": live.manifest.digest,
            "feedback": recent.digest,
            "recipe": recipe.recipe_digest,
            "recent_share": asked.recent_share,
        }
    )
