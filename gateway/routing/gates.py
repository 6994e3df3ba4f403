"""Which arms may get traffic: those served, proved, and of the digest that is pinned. Pure.

A variant is in the catalog only while Triton says that its three ensembles are ready and each has a
passed passport, so that is where readiness and proof are read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gateway.catalog import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalog import Catalog
    from gateway.routing.definitions import ArmDefinition
    from gateway.routing.plan import Plan


class Gate(StrEnum):
    """Why an arm gets no traffic, beside the catalog's own reasons."""

    NOT_SERVED = "not_served"
    DIGEST_MISMATCH = "digest_mismatch"
    GUARDRAIL = "guardrail"


# What says most about a variant that has ensembles refused for several reasons.
_TELLING: Final = (
    Refusal.PARITY_FAILED,
    Refusal.PARITY_MISSING,
    Refusal.INCONSISTENT,
    Refusal.INCOMPLETE,
)


def gate_of(catalog: Catalog, name: str, arm: ArmDefinition) -> str | None:
    """Returns why an arm may get no traffic, or None when it may.

    Args:
        catalog: what is served now.
        name: the arm's variant.
        arm: may pin a digest.
    """
    variant = catalog.variants.get(name)
    if variant is not None:
        is_pinned = arm.digest is None or variant.digest.startswith(arm.digest)
        return None if is_pinned else Gate.DIGEST_MISMATCH
    reasons = {each.reason for each in catalog.refused if each.variant == name}
    return next((each for each in _TELLING if each in reasons), Gate.NOT_SERVED)


def gates_of(catalog: Catalog, plan: Plan) -> Mapping[tuple[str, str], str]:
    """Returns the reason of each arm that may get no traffic, by experiment and arm."""
    gates = {}
    for experiment in plan.experiments:
        for name, arm in experiment.definition.arms.items():
            if (gate := gate_of(catalog, name, arm)) is not None:
                gates[experiment.name, name] = gate
    return gates
