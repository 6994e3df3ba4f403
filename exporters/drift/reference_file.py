"""The reference beside the head, in the run's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.atomic import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.contract.drift.reference import DriftReference

REFERENCE_FILE: Final = "drift-reference.json"


def write_reference(reference: DriftReference, run_folder: Path) -> None:
    """Leaves the reference of an export in its run."""
    with atomic_file(run_folder / REFERENCE_FILE) as path:
        path.write_text(reference.model_dump_json() + "\n", encoding="utf-8")
