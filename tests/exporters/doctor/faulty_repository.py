"""A sound repository, and ways to break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from exporters.doctor import Finding, Machine, examine, read_repository
from exporters.doctor.machine import MIB
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOMY = Machine(cores=8, shared_memory_bytes=4096 * MIB)


def findings_of(code: str, repository: Path, machine: Machine = ROOMY) -> list[Finding]:
    """What one rule finds."""
    findings = examine(read_repository(repository), machine)
    return [finding for finding in findings if finding.code == code]


def folder_of(repository: Path, prefix: str) -> Path:
    """The one model whose name begins so."""
    [folder] = repository.glob(f"{prefix}*/")
    return folder


def edit(repository: Path, prefix: str, change: Callable[[pb.ModelConfig], object]) -> str:
    """Changes the configuration of the one model whose name begins so; returns its name."""
    path = folder_of(repository, prefix) / "config.pbtxt"
    config = text_format.Parse(path.read_text(encoding="utf-8"), pb.ModelConfig())
    change(config)
    path.write_text(text_format.MessageToString(config), encoding="utf-8")
    return path.parent.name


def edit_manifest(repository: Path, prefix: str, **fields: object) -> str:
    """Changes fields of an ensemble's manifest; returns the ensemble's name."""

    def change(config: pb.ModelConfig) -> None:
        parameter = config.parameters[MANIFEST_PARAMETER]
        manifest = EnsembleManifest.model_validate_json(parameter.string_value)
        parameter.string_value = manifest.model_copy(update=fields).model_dump_json()

    return edit(repository, prefix, change)
