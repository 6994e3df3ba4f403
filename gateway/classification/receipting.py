"""Makes the receipt of an answer: its `prediction_id`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gateway.receipts.receipt import (
    DIGEST_CHARS,
    MAX_SCORES,
    DrawnArm,
    PredictedTask,
    Receipt,
    labels_digest,
    labels_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.classification.values import Classification, ClassifyRequest, RankedLabel
    from gateway.receipts.receipt import SignedReceipt, TaskKind
    from gateway.receipts.ring import ReceiptRing
    from gateway.routing.router import Decision

_NONCE_BYTES: Final = 6
_MAX_TASKS: Final = 32
"""Most tasks that a receipt names; feedback for further ones cannot be given."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ReceiptIssuer:
    """Signs what was answered.

    Attributes:
        ring: signs.
        now: reads the wall clock.
    """

    ring: ReceiptRing
    now: Callable[[], datetime] = _now

    def issue(
        self, request: ClassifyRequest, answer: Classification, decision: Decision
    ) -> SignedReceipt:
        """Returns the receipt of an answer.

        Args:
            request: that was answered.
            answer: to it.
            decision: why its variant gave it.
        """
        now = self.now()
        unit = self._unit(request, decision)
        return self.ring.sign(
            Receipt(
                issued_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
                variant=answer.variant,
                digest=answer.digest[:DIGEST_CHARS],
                modalities=answer.modalities,
                tasks=_tasks(answer, is_spelt_out=request.labels is None),
                reason=decision.reason,
                draw=_draw(decision),
                unit=None if unit is None else self.ring.unit_hash(unit),
                nonce=os.urandom(_NONCE_BYTES),
            )
        )

    @staticmethod
    def _unit(request: ClassifyRequest, decision: Decision) -> str | None:
        if request.subject.unit is not None:
            return request.subject.unit
        return decision.draw.unit if decision.draw is not None else None


def _draw(decision: Decision) -> DrawnArm | None:
    if (draw := decision.draw) is None:
        return None
    return DrawnArm(
        draw.experiment, draw.revision, draw.layer, draw.arm, draw.share, draw.is_sticky
    )


def _tasks(answer: Classification, *, is_spelt_out: bool) -> tuple[PredictedTask, ...]:
    if not answer.tasks:
        return (_task("", "one", answer.ranking, is_spelt_out=is_spelt_out),)
    return tuple(
        _task(each.name, "one", each.ranking)
        if each.applying is None
        else _task(each.name, "several", each.applying)
        for each in answer.tasks[:_MAX_TASKS]
    )


def _task(
    name: str, kind: TaskKind, ranking: Sequence[RankedLabel], *, is_spelt_out: bool = True
) -> PredictedTask:
    best = ranking[:1] if kind == "one" else ranking
    labels = tuple(each.label for each in best)
    scored = ranking[:MAX_SCORES] if kind == "one" else ranking
    return PredictedTask(
        name,
        kind,
        labels if is_spelt_out else None,
        None if is_spelt_out else labels_digest(labels_value(labels, kind)),
        tuple(each.score for each in scored),
    )
