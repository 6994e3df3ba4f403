"""Drift: the reference that a variant is published with, and the report over captured traffic.

The tests themselves are `gateway.contract.drift`, so that gateway and report mean the same.
"""

from exporters.drift.reference import HeldOutAnswers, ReferenceData, fit_reference
from exporters.drift.reference_file import write_reference
from exporters.drift.sources import reference_of_towers, reference_of_variant

__all__ = [
    "HeldOutAnswers",
    "ReferenceData",
    "fit_reference",
    "reference_of_towers",
    "reference_of_variant",
    "write_reference",
]
