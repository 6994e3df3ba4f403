"""Why a request is answered by the variant that answers it."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The first four are of requests in no experiment."""

    REQUESTED = "requested"
    PROMOTED = "promoted"
    CONFIGURED = "configured"
    NEWEST = "newest"
    UNIT_OVERRIDE = "unit_override"
    KEY_OVERRIDE = "key_override"
    ASSIGNED = "assigned"
    ARM_GATED = "arm_gated"
