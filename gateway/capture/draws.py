"""Which answers are captured, and what each of them stands for. Pure.

There are three draws, independent of each other. Each has a probability that follows from what is
known of an answer once it was given, so the probability that any of them takes it follows too: its
inverse is the row's weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.contract.capture import DISAGREEMENT, LOW_CONFIDENCE, UNIFORM

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class CapturePolicy:
    """What is drawn. All are shares, 0 to 1.

    Attributes:
        uniform_ratio: of all answers.
        low_confidence_ratio: of the answers below the next.
        low_confidence_below: a calibrated probability.
        disagreement_ratio: of the answers whose label a shadow did not give.
        has_inputs: whether images and texts themselves are kept.
    """

    uniform_ratio: float
    low_confidence_ratio: float
    low_confidence_below: float
    disagreement_ratio: float
    has_inputs: bool = False

    @property
    def needs_all(self) -> bool:
        """Whether a draw depends on the answer, so that the features of all must be asked for."""
        return self.low_confidence_ratio > 0.0 or self.disagreement_ratio > 0.0


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Why an answer is captured, and how many it stands for."""

    reasons: tuple[str, ...]
    weight: float


def include(
    policy: CapturePolicy,
    random: Callable[[], float],
    *,
    is_uniform: bool,
    confidence: float,
    has_agreed: bool | None,
) -> Inclusion | None:
    """Decides whether an answer is captured.

    Args:
        policy: the shares.
        random: draws from 0 to 1.
        is_uniform: what the draw among all answers was, before this one was known.
        confidence: of the answer.
        has_agreed: whether its shadows gave the same label; None: none was compared.
    """
    low = policy.low_confidence_ratio if confidence < policy.low_confidence_below else 0.0
    differing = policy.disagreement_ratio if has_agreed is False else 0.0
    drawn = {
        UNIFORM: is_uniform,
        LOW_CONFIDENCE: random() < low,
        DISAGREEMENT: random() < differing,
    }
    reasons = tuple(reason for reason, is_drawn in drawn.items() if is_drawn)
    if not reasons:
        return None
    missed = (1.0 - policy.uniform_ratio) * (1.0 - low) * (1.0 - differing)
    return Inclusion(reasons, 1.0 / (1.0 - missed))
