"""Staged models before the doctor: what has an error is not published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.doctor import Severity, examine, read_repository
from exporters.publishing.errors import UnfitRepositoryError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from exporters.doctor import Finding


def fit_to_publish(staged: Path, *, without: Collection[str] = ()) -> tuple[Finding, ...]:
    """Examines a staging repository.

    Args:
        staged: the repository.
        without: codes of rules that are left out.

    Returns:
        The warnings.

    Raises:
        UnfitRepositoryError: there are errors.
    """
    findings = examine(read_repository(staged), without=without)
    errors = [
        f"  {finding.model}: {finding.reason}"
        for finding in findings
        if finding.severity is Severity.ERROR
    ]
    if errors:
        raise UnfitRepositoryError(errors)
    return findings
