"""Why something was not published; what was published before stays as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.errors import ExporterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(eq=False)
class QuantisedGraphsError(ExporterError):
    """Precision int8 without Q/DQ graphs; `folder` is None when none was named."""

    folder: Path | None
    missing: Sequence[str]

    def __str__(self) -> str:
        files = " and ".join(self.missing)
        place = f"'{self.folder}' does not hold" if self.folder else "no folder was given with"
        return f"Precision int8 needs Q/DQ graphs, and {place} {files}."

    @property
    def remedy(self) -> str:
        """Names the option."""
        return "Name the folder that holds both with --quantised-graphs."


@dataclass(eq=False)
class UnfitRepositoryError(ExporterError):
    """The doctor found errors in what was to be published; nothing was."""

    findings: Sequence[str]

    def __str__(self) -> str:
        return f"The exported models would not serve:\n{chr(10).join(self.findings)}"

    @property
    def remedy(self) -> str:
        """Says that nothing changed."""
        return "Nothing was published. `python -m exporters doctor --help` names the rules' table."


@dataclass(eq=False)
class ServingError(ExporterError):
    """Triton did not load the exported models, or refused a sample; nothing was published."""

    reason: str
    log: Path

    def __str__(self) -> str:
        return f"The exported models could not be served: {self.reason}"

    @property
    def remedy(self) -> str:
        """Names Triton's log."""
        return f"Read {self.log}."


@dataclass(eq=False)
class ParityError(ExporterError):
    """What Triton serves is not what was trained; nothing was published."""

    modalities: str
    max_abs_difference: float
    tolerance: float
    label_flips: int
    report: Path

    def __str__(self) -> str:
        return (
            f"The parity proof of '{self.modalities}' failed: probabilities differ by up to "
            f"{self.max_abs_difference:.1e} (allowed {self.tolerance:.1e}) and "
            f"{self.label_flips} labels flip."
        )

    @property
    def remedy(self) -> str:
        """Names the report; a looser tolerance is not offered."""
        return f"Nothing was published. Read {self.report}."
