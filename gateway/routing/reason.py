"""Why a request is answered by the variant that answers it."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The first six are of requests in no experiment, or without a choice in it."""

    REQUESTED = "requested"
    PROMOTED = "promoted"
    CONFIGURED = "configured"
    NEWEST = "newest"
    UNIT_OVERRIDE = "unit_override"
    KEY_OVERRIDE = "key_override"
    ASSIGNED = "assigned"
    ARM_GATED = "arm_gated"
