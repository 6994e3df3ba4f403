"""The drift reference of a published variant, as it lies in a model repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf import text_format
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2

from exporters.errors import NoDriftReferenceError
from exporters.repository.model_folder import CONFIG
from gateway.contract.drift.reference import REFERENCE_PARAMETER, DriftReference
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest, ModalitySet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class PublishedReference:
    """A reference, and the manifest of the ensemble that carries it."""

    manifest: EnsembleManifest
    reference: DriftReference


def read_published_reference(repository: Path, variant: str) -> PublishedReference:
    """Reads the reference of a variant's newest digest.

    Raises:
        NoDriftReferenceError: there is no such variant, or it was published without a reference.
    """
    found = [each for each in published_references(repository) if each.manifest.variant == variant]
    if not found:
        raise NoDriftReferenceError(variant, repository)
    return max(found, key=lambda each: each.manifest.provenance.created_at.timestamp())


def published_references(repository: Path) -> Iterator[PublishedReference]:
    """Reads the references of all variants that have one."""
    for file in sorted(repository.glob(f"*/{CONFIG}")):
        config = model_config_pb2.ModelConfig()
        try:
            text_format.Parse(file.read_text(encoding="utf-8"), config)
        except (text_format.ParseError, UnicodeDecodeError):
            continue  # what is no configuration is nobody's reference
        if not {MANIFEST_PARAMETER, REFERENCE_PARAMETER} <= config.parameters.keys():
            continue
        try:
            manifest = EnsembleManifest.model_validate_json(
                config.parameters[MANIFEST_PARAMETER].string_value
            )
            reference = DriftReference.model_validate_json(
                config.parameters[REFERENCE_PARAMETER].string_value
            )
        except ValidationError:
            continue
        if manifest.modalities is ModalitySet.BOTH:
            yield PublishedReference(manifest, reference)
