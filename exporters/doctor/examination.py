"""Runs rules over a model repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.doctor.finding import Finding, Severity, Site
from exporters.doctor.machine import this_machine
from exporters.doctor.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporters.doctor.machine import Machine
    from exporters.doctor.model_repository import ModelRepository


def examine(
    repository: ModelRepository, machine: Machine | None = None, *, without: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Returns what would go wrong, errors first.

    Args:
        repository: what to look at.
        machine: what is to serve it; None: this machine.
        without: codes of rules that are left out.
    """
    site = Site(repository, machine or this_machine())
    findings = [
        Finding(rule.code, rule.severity, fault.model, fault.reason, fault.remedy)
        for rule in RULES
        if rule.code not in without
        for fault in rule.find(site)
    ]
    return tuple(sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR))
