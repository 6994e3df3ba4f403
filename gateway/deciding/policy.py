"""What a ramp is allowed to do and what it has to see first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOOK_S: Final = 1.0
"""Time between two looks at a ramp, in seconds."""

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Guardrails:
    """Bounds whose breach takes the candidate's traffic away at once.

    A rate is breached where it is above its bound, and as well above `max_ratio_to_control` times
    the control's: what befalls both arms is no fault of the candidate.

    Attributes:
        max_failure_ratio: most answers that may fail, 0 to 1.
        max_p99_ms: 99 of 100 answers come within this, in milliseconds.
        max_shed_ratio: most requests that may be refused by a full queue, 0 to 1.
        max_calibration_error: largest expected calibration error, 0 to 1.
        max_ratio_to_control: see above.
        false_alarm_days: mean time to a false alarm of one guardrail, while the candidate is
            exactly at its bound, in days.
    """

    max_failure_ratio: float = 0.02
    max_p99_ms: float = 500.0
    max_shed_ratio: float = 0.05
    max_calibration_error: float = 0.15
    max_ratio_to_control: float = 2.0
    false_alarm_days: float = 30.0

    @property
    def mean_looks(self) -> float:
        """`false_alarm_days` in looks."""
        return self.false_alarm_days * _DAY_S / LOOK_S


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ramp.

    Attributes:
        share: of the experiment's units that the candidate has, above 0 to 1.
        min_dwell_s: least time on the step in which it was watched, in seconds.
        min_requests: least answers of the candidate on the step.
        min_outcomes: least labelled predictions of the candidate, on this step and before.
    """

    share: float
    min_dwell_s: float
    min_requests: int
    min_outcomes: int


@dataclass(frozen=True, slots=True)
class RampPolicy:
    """A ramp as it was declared.

    Attributes:
        candidate: the variant that is tried.
        control: the variant that it is compared with.
        steps: in order, shares rising.
        level: probability that the comparison of accuracies is ever wrong, 0 to 1.
        margin: largest loss of accuracy that is accepted, of the whole service, above 0 to 1.
        allocation_level: probability that a right allocation ever raises the alarm.
        guardrails: bounds that hold on all steps.
    """

    candidate: str
    control: str
    steps: tuple[Step, ...]
    level: float
    margin: float
    allocation_level: float
    guardrails: Guardrails
