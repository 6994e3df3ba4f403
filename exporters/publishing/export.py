"""Train when needed, convert, stage, prove on a real Triton, stamp the passports, examine, publish.

Nothing enters the model repository before the proof has passed. A second export of what has not
changed is recognised by its fingerprint and does nothing.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.atomic import atomic_file
from exporters.fingerprint import fingerprint
from exporters.publishing.errors import ParityError
from exporters.repository.publish import publish, staging, write_config
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.doctor import Finding
    from exporters.evaluation.parity import Parity
    from exporters.publishing.stage import StagedVariant
    from exporters.recipe import Recipe
    from exporters.workspace import Workspace


@dataclass(frozen=True)
class Published:
    """What an export left in the model repository.

    Attributes:
        ensembles: model names by modality set.
        report: the report with quality and parity.
        is_new: False when nothing had changed and nothing was done.
        warnings: what the doctor says of the new models; it found no error.
    """

    ensembles: dict[ModalitySet, str]
    report: Path
    is_new: bool
    warnings: tuple[Finding, ...] = ()


def export(recipe: Recipe, workspace: Workspace, repository: Path) -> Published:
    """Publishes the variant of a recipe.

    Args:
        recipe: what to export.
        workspace: where features, heads and reports are kept.
        repository: the Triton model repository.

    Raises:
        ExporterError: data, encoders, conversion, serving or parity failed; the repository is as
            it was before.
    """
    record = workspace.publication_file(recipe.name)
    key = fingerprint(recipe, workspace)
    if (published := _read_record(record, key, repository)) is not None:
        return published
    published = _export(recipe, workspace, repository)
    with atomic_file(record) as path:
        fields = {"key": key, "ensembles": published.ensembles, "report": str(published.report)}
        path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    return published


def _read_record(record: Path, key: str, repository: Path) -> Published | None:
    with suppress(FileNotFoundError):
        fields = json.loads(record.read_text(encoding="utf-8"))
        ensembles = {ModalitySet(name): model for name, model in fields["ensembles"].items()}
        report = Path(fields["report"])
        is_there = all((repository / model).is_dir() for model in ensembles.values())
        if fields["key"] == key and is_there and report.is_file():
            return Published(ensembles, report, is_new=False)
    return None


def _export(recipe: Recipe, workspace: Workspace, repository: Path) -> Published:
    if recipe.dual_tower is not None:
        return _export_dual_tower(recipe, workspace, repository)
    # Here and not above: these load torch and transformers, which the check for changes can spare.
    from exporters.evaluation.parity import write_proofs
    from exporters.evaluation.quality import measure_quality
    from exporters.evaluation.report import REPORT, write_report
    from exporters.publishing.proof import prove
    from exporters.publishing.stage import stage_variant
    from exporters.training import train

    variant = train(recipe, workspace)
    with staging(repository) as staged_repository:
        staged = stage_variant(variant, measure_quality(variant), staged_repository)
        proofs = prove(staged, variant, staged_repository)
        write_proofs(proofs, variant.run_folder)
        write_report(variant)
        return publish_proved(
            staged, proofs, staged_repository, repository, variant.run_folder / REPORT
        )


def _export_dual_tower(recipe: Recipe, workspace: Workspace, repository: Path) -> Published:
    from exporters.alignment import align
    from exporters.evaluation.parity import write_proofs
    from exporters.evaluation.report import REPORT
    from exporters.evaluation.zero_shot import measure_zero_shot
    from exporters.evaluation.zero_shot_report import write_zero_shot_report
    from exporters.publishing.dual_tower import prove_dual_tower, stage_dual_tower

    towers = align(recipe, workspace)
    with staging(repository) as staged_repository:
        qualities = measure_zero_shot(towers).by_modalities
        staged = stage_dual_tower(towers, qualities, staged_repository)
        proofs = prove_dual_tower(staged, towers, staged_repository)
        write_proofs(proofs, towers.run_folder)
        write_zero_shot_report(towers)
        return publish_proved(
            staged, proofs, staged_repository, repository, towers.run_folder / REPORT
        )


def publish_proved(
    staged: StagedVariant,
    proofs: Mapping[ModalitySet, Parity],
    staged_repository: Path,
    repository: Path,
    report: Path,
) -> Published:
    """Stamps passports on what was proved, examines it, and moves it into the repository.

    Raises:
        ParityError: a proof failed; nothing was published.
        UnfitRepositoryError: the doctor found an error; nothing was published.
    """
    from exporters.publishing.checkup import fit_to_publish

    for modalities, proof in proofs.items():
        if not proof.has_passed:
            raise ParityError(
                modalities,
                proof.largest_difference,
                proof.tolerance,
                proof.label_flips,
                report,
            )
    for folder in staged.stamped(proofs):
        write_config(folder, staged_repository)
    warnings = fit_to_publish(staged_repository)
    publish(staged.folders, staged_repository, repository)
    return Published(staged.ensemble_names, report, is_new=True, warnings=warnings)
