"""The simulated service: requests, labels that come late and unevenly, and a world that drifts.

Wrong predictions are reported sooner than right ones are confirmed, uncertain predictions are
labelled more often than sure ones, and both arms lose accuracy and find it again while shares
change. All of that must not look like a difference between the arms.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.deciding.guardrails import ArmCounts
from gateway.deciding.outcomes import CONFIDENCE_BINS, ConfidenceBins, OutcomeSums, Stratum

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

REQUESTS_S: Final = 300.0
_DRIFT: Final = 0.05
_DRIFT_PERIOD_S: Final = 300.0
_DELAYS_S: Final = (1, 4, 8, 15, 30, 60)
_REPORTED: Final = (0.3, 0.3, 0.2, 0.1, 0.1, 0.0)  # of the wrong ones, how many come how late
_CONFIRMED: Final = (0.05, 0.1, 0.15, 0.3, 0.2, 0.2)  # and of the right ones
_ARMS: Final = ("control", "candidate")


@dataclass(frozen=True, slots=True)
class Kind:
    """Predictions that are alike.

    Attributes:
        part: of all predictions.
        confidence: of the model in them.
        labelled: share of them that is ever labelled; the inverse is a label's weight.
    """

    part: float
    confidence: float
    labelled: float


KINDS: Final = (Kind(0.3, 0.6, 0.6), Kind(0.7, 0.95, 0.12))


@dataclass(frozen=True, slots=True)
class Arm:
    """How an arm behaves.

    Attributes:
        accuracy_change: added to the accuracy of each kind of prediction.
        failure_ratio: of its requests.
        slow_ratio: of its answers.
    """

    accuracy_change: float = 0.0
    failure_ratio: float = 0.002
    slow_ratio: float = 0.002


class World:
    """One run.

    Args:
        control: behaves so.
        candidate: behaves so.
        random: draws everything.
    """

    def __init__(self, control: Arm, candidate: Arm, random: np.random.Generator) -> None:
        self._arms = (control, candidate)
        self._random = random
        # By the second in which they arrive: step, arm, kind, right ones, all.
        self._late: dict[int, list[tuple[int, int, int, int, int]]] = defaultdict(list)
        self._sums: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0] * 4)
        # By arm: weights, their squares and gaps, each by bin.
        self._bins = [[[0.0] * CONFIDENCE_BINS for _ in range(3)] for _ in _ARMS]

    def second(self, now_s: int, step: int, share: float) -> tuple[ArmCounts, ArmCounts]:
        """Lets one second pass.

        Args:
            now_s: which.
            step: of the ramp.
            share: of the candidate.

        Returns:
            What came of the requests of the control and of the candidate.
        """
        counts = []
        for arm, part in enumerate((1 - share, share)):
            requests = int(self._random.poisson(REQUESTS_S * part))
            behaviour = self._arms[arm]
            failures = int(self._random.binomial(requests, behaviour.failure_ratio))
            answers = requests - failures
            slow = int(self._random.binomial(answers, behaviour.slow_ratio))
            counts.append(ArmCounts(answers, slow, failures, failed_units=failures))
            self._predict(now_s, step, arm, answers)
        for arrived in self._late.pop(now_s, ()):
            self._label(*arrived)
        return counts[0], counts[1]

    def _predict(self, now_s: int, step: int, arm: int, answers: int) -> None:
        drift = _DRIFT * math.sin(2 * math.pi * now_s / _DRIFT_PERIOD_S)
        change = self._arms[arm].accuracy_change + drift
        for place, kind in enumerate(KINDS):
            labelled = int(self._random.binomial(answers, kind.part * kind.labelled))
            accuracy = min(1.0, max(0.0, kind.confidence + change))
            right = int(self._random.binomial(labelled, accuracy))
            self._send(now_s, (step, arm, place), right, _CONFIRMED, is_right=True)
            self._send(now_s, (step, arm, place), labelled - right, _REPORTED, is_right=False)

    def _send(
        self,
        now_s: int,
        place: tuple[int, int, int],
        count: int,
        delays: tuple[float, ...],
        *,
        is_right: bool,
    ) -> None:
        for delay_s, arriving in zip(
            _DELAYS_S, self._random.multinomial(count, delays).tolist(), strict=True
        ):
            if arriving:
                self._late[now_s + delay_s].append((*place, arriving * is_right, arriving))

    def _label(self, step: int, arm: int, place: int, right: int, count: int) -> None:
        weight = 1 / KINDS[place].labelled
        sums = self._sums[step, arm]
        for at, value in enumerate((count, weight * count, weight**2 * count, weight * right)):
            sums[at] += value
        self._sums[step, arm + len(_ARMS)][0] += weight**2 * right
        at_bin = int(KINDS[place].confidence * CONFIDENCE_BINS)
        gap = weight * (KINDS[place].confidence * count - right)
        for row, value in zip(
            self._bins[arm], (weight * count, weight**2 * count, gap), strict=True
        ):
            row[at_bin] += value

    def strata(self) -> Iterator[Stratum]:
        """Yields what was labelled until now, by step."""
        for step in sorted({step for step, _ in self._sums}):
            yield Stratum(*(self._outcomes(step, arm) for arm in range(len(_ARMS))))

    def _outcomes(self, step: int, arm: int) -> OutcomeSums:
        count, weight, squares, correct = self._sums.get((step, arm), (0.0,) * 4)
        right_squares = self._sums.get((step, arm + len(_ARMS)), (0.0,))[0]
        # Each prediction is a unit by itself.
        return OutcomeSums(
            int(count), int(count), weight, squares, correct, right_squares, right_squares, squares
        )

    def bins(self, arm: int) -> ConfidenceBins:
        """Returns what was labelled of the control (0) or the candidate (1) by confidence."""
        return ConfidenceBins(*(tuple(row) for row in self._bins[arm]))
