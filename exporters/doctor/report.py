"""Findings for a person and for a program."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from exporters.doctor.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.doctor.finding import Finding


def as_text(findings: Sequence[Finding], models: int) -> str:
    """A paragraph for each finding, and a line that counts them."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    paragraphs = [
        f"{finding.severity} {finding.code}: {finding.model}\n"
        f"  {finding.reason}\n  {finding.remedy}"
        for finding in findings
    ]
    count = f"{models} models: {errors} errors, {len(findings) - errors} warnings."
    return "\n".join((*paragraphs, count))


def as_json(findings: Sequence[Finding], models: int) -> str:
    """The same as one JSON object: `models` and `findings`."""
    fields = {"models": models, "findings": [asdict(finding) for finding in findings]}
    return json.dumps(fields, indent=2)
