"""Manifests and ensembles for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from gateway.contract.manifest import (
    DualTower,
    EnsembleManifest,
    Limits,
    Lineage,
    ModalitySet,
    ParityPassport,
    Provenance,
    Quality,
)

LABELS = ("animal", "food", "travel")
DIGEST = "a" * 64

LINEAGE = Lineage(
    parent="demo",
    parent_digest=DIGEST,
    feedback_since=datetime(2026, 2, 1, tzinfo=UTC),
    feedback_until=datetime(2026, 2, 8, tzinfo=UTC),
    feedback_examples=500,
    feedback_digest="d" * 64,
    feedback_share=0.5,
    parent_accuracy=0.7,
    accuracy=0.8,
)


def make_manifest(  # noqa: PLR0913 - what tests vary
    modalities: ModalitySet = ModalitySet.BOTH,
    *,
    variant: str = "demo",
    digest: str = DIGEST,
    labels: tuple[str, ...] = LABELS,
    temperature: float = 2.0,
    has_passed: bool | None = True,
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    expected_device: Literal["cpu", "gpu"] = "cpu",
    lineage: Lineage | None = None,
) -> EnsembleManifest:
    """Makes a manifest; `has_passed` None stands for a proof that was not run."""
    parity = None
    if has_passed is not None:
        parity = ParityPassport(
            has_passed=has_passed,
            samples=64,
            max_abs_difference=1e-5,
            label_flips=0,
            tolerance=1e-3,
            precision="fp32",
            device="cpu",
        )
    return EnsembleManifest(
        variant=variant,
        digest=digest,
        modalities=modalities,
        labels=labels,
        temperature=temperature,
        quality=Quality(examples=100, accuracy=0.9, macro_f1=0.9, expected_calibration_error=0.02),
        parity=parity,
        expected_device=expected_device,
        limits=Limits(max_image_pixels=10_000_000, max_text_tokens=128),
        provenance=Provenance(
            recipe="demo",
            recipe_digest="b" * 64,
            data_digest="c" * 64,
            text_encoder="text",
            image_encoder="image",
            head="concat",
            seed=0,
            created_at=created_at,
            versions={},
            lineage=lineage,
        ),
    )


def make_repository(  # noqa: PLR0913 - what tests vary
    *,
    variant: str = "demo",
    digest: str = DIGEST,
    has_passed: bool | None = True,
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    labels: tuple[str, ...] = LABELS,
    expected_device: Literal["cpu", "gpu"] = "cpu",
    lineage: Lineage | None = None,
) -> dict[str, str]:
    """Makes the manifest JSON of a variant's three ensembles by model name."""
    return {
        f"{variant}-{modalities}-{digest[:8]}": make_manifest(
            modalities,
            variant=variant,
            digest=digest,
            has_passed=has_passed,
            created_at=created_at,
            labels=labels,
            expected_device=expected_device,
            lineage=lineage,
        ).model_dump_json()
        for modalities in ModalitySet
    }


def make_dual_repository(
    *,
    variant: str = "towers",
    digest: str = "d" * 64,
    created_at: datetime = datetime(2026, 1, 2, tzinfo=UTC),
    tower: DualTower | None = None,
) -> dict[str, str]:
    """Makes the manifest JSON of a dual tower's three ensembles by model name."""
    tower = tower or DualTower(
        embedding_dim=64,
        activation="softmax",
        logit_scale=20.0,
        logit_bias=0.0,
        templates=("{label}",),
        measured_labels=("cat", "dog"),
    )
    return {
        f"{variant}-{modalities}-{digest[:8]}": make_manifest(
            modalities, variant=variant, digest=digest, created_at=created_at
        )
        .model_copy(update={"labels": (), "dual_tower": tower, "temperature": 1.0})
        .model_dump_json()
        for modalities in ModalitySet
    }
