"""Guardrails on rates: failures, slow answers, refusals. Seen within a handful of bad answers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gateway.deciding.detector import RateDetector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.deciding.policy import Guardrails

_P99: Final = 0.01  # of the answers may be slower
MIN_FAILED_UNITS: Final = 3
"""One client that fails again and again is no proof against a variant."""


class Guardrail(StrEnum):
    """What is guarded."""

    FAILURES = "failures"
    LATENCY = "latency"
    SHED = "shed"
    CALIBRATION = "calibration"
    ACCURACY = "accuracy"

    @property
    def reason(self) -> str:
        """Its breach as a reason of a decision: in answers, the audit and metrics."""
        return f"guardrail_{self}"


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """What came of one arm's requests since some moment.

    Attributes:
        answers: good ones.
        slow: good ones that took longer than the guardrail allows.
        failures: requests that the service failed.
        shed: requests that were refused as a queue was full.
        failed_units: different units among the failures, as each process saw them.
    """

    answers: int = 0
    slow: int = 0
    failures: int = 0
    shed: int = 0
    failed_units: int = 0

    @property
    def requests(self) -> int:
        """All together."""
        return self.answers + self.failures + self.shed

    def __add__(self, other: ArmCounts) -> ArmCounts:
        return ArmCounts(
            self.answers + other.answers,
            self.slow + other.slow,
            self.failures + other.failures,
            self.shed + other.shed,
            self.failed_units + other.failed_units,
        )


@dataclass(frozen=True, slots=True)
class RateWatch:
    """One rate: against its bound, and against the control's."""

    against_bound: RateDetector = RateDetector()  # noqa: RUF009 - a frozen value
    against_control: RateDetector = RateDetector()  # noqa: RUF009

    def log_evidence(self, *, has_control: bool) -> float:
        """Returns the evidence for a breach: the weaker of the two, where there is a control."""
        if not has_control:
            return self.against_bound.log_evidence
        return min(self.against_bound.log_evidence, self.against_control.log_evidence)


@dataclass(frozen=True, slots=True)
class RateGuard:
    """All rates of a candidate; a value.

    Attributes:
        watches: by guardrail.
        control: what came of the control's requests on this step.
        candidate: the same of the candidate.
    """

    watches: Mapping[Guardrail, RateWatch] = field(default_factory=dict)
    control: ArmCounts = ArmCounts()
    candidate: ArmCounts = ArmCounts()

    def on_next_step(self) -> RateGuard:
        """Returns the state at the beginning of another step: what was seen stays seen."""
        return replace(self, control=ArmCounts(), candidate=ArmCounts())

    def after(
        self, control: ArmCounts, candidate: ArmCounts, share: float, rails: Guardrails
    ) -> RateGuard:
        """Returns the state after a look.

        Args:
            control: what is new.
            candidate: what is new.
            share: of the units that the candidate has.
            rails: the bounds.
        """
        # Of failures that strike both arms alike, the candidate has its part of the requests. That
        # part is known before they come: from the weights, and from what came until now.
        seen = self.candidate.requests + self.control.requests
        part = max(share, self.candidate.requests / seen if seen else 0.0)
        fair = rails.max_ratio_to_control * part
        most = fair / (fair + 1 - part)
        watches = {}
        for rail, bound, of_candidate, of_control in (
            (
                Guardrail.FAILURES,
                rails.max_failure_ratio,
                (candidate.failures, candidate.answers + candidate.failures),
                control.failures,
            ),
            (Guardrail.LATENCY, _P99, (candidate.slow, candidate.answers), control.slow),
            (
                Guardrail.SHED,
                rails.max_shed_ratio,
                (candidate.shed, candidate.requests),
                control.shed,
            ),
        ):
            watch = self.watches.get(rail, RateWatch())
            events, trials = of_candidate
            watches[rail] = RateWatch(
                watch.against_bound.after(events, trials, bound),
                watch.against_control.after(events, events + of_control, most),
            )
        return RateGuard(watches, self.control + control, self.candidate + candidate)

    def is_unwell(self, rails: Guardrails) -> bool:
        """Whether a rate is above its bound, be it the candidate's fault or not."""
        threshold = math.log(rails.mean_looks)
        return any(watch.against_bound.log_evidence >= threshold for watch in self.watches.values())

    def breaches(self, share: float, rails: Guardrails) -> tuple[Guardrail, ...]:
        """Returns the guardrails that are breached.

        Args:
            share: of the units that the candidate has; at 1 nobody is left to compare with.
            rails: the bounds.
        """
        threshold = math.log(rails.mean_looks)
        return tuple(
            rail
            for rail, watch in self.watches.items()
            if watch.log_evidence(has_control=share < 1) >= threshold
            and (rail is not Guardrail.FAILURES or self.candidate.failed_units >= MIN_FAILED_UNITS)
        )
