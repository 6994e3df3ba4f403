"""What a receipt says, as values; `codec` writes and reads them, `ring` signs them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, Literal

from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.contract.manifest import ModalitySet
    from gateway.routing.reason import Reason

TaskKind = Literal["one", "several"]
MAX_SCORES: Final = 5
"""Most scores of a task of one label; one of several has a score for each that applies."""

DIGEST_CHARS: Final = 16
"""How many hexadecimal digits of a variant's digest a receipt holds."""

_LABELS_DIGEST_BYTES: Final = 8


def labels_value(labels: Sequence[str], kind: TaskKind) -> str:
    """Writes labels as one text, by which two answers are equal or not.

    Args:
        labels: exactly one, or of a task of several any number in any order.
        kind: of the task.

    Returns:
        The label itself, or a JSON array of all, sorted.
    """
    return labels[0] if kind == "one" else json.dumps(sorted(set(labels)), ensure_ascii=False)


def labels_digest(value: str) -> bytes:
    """Returns what stands for labels that a receipt does not spell out: 8 bytes of SHA-256.

    Args:
        value: of `labels_value`.
    """
    return hashlib.sha256(value.encode()).digest()[:_LABELS_DIGEST_BYTES]


@value
class PredictedTask:
    """What one task answered.

    Attributes:
        name: of the task; empty where a variant has one set of labels alone.
        kind: whether an item has `one` of its labels or `several`.
        labels: the best label, or all that apply; None where only their digest is kept.
        kept_digest: `labels_digest` of labels that are not spelt out, else None.
        scores: calibrated probabilities, to 1/16383, best first: of the best labels, at most
            `MAX_SCORES`, or of those that apply.
    """

    name: str
    kind: TaskKind
    labels: tuple[str, ...] | None
    kept_digest: bytes | None
    scores: tuple[float, ...]

    @property
    def confidence(self) -> float | None:
        """The best label's probability; None of several labels, which have no one probability."""
        return self.scores[0] if self.kind == "one" and self.scores else None

    @property
    def value(self) -> str | None:
        """`labels_value` of what was predicted, or None where only its digest was kept."""
        return None if self.labels is None else labels_value(self.labels, self.kind)

    @property
    def digest(self) -> bytes:
        """`labels_digest` of what was predicted."""
        return labels_digest(self.value or "") if self.kept_digest is None else self.kept_digest


@value
class DrawnArm:
    """The draw of an experiment.

    Attributes:
        experiment: its name.
        revision: 8 hexadecimal digits that change with what decides who gets which arm.
        layer: of the experiment.
        arm: that was drawn; another variant answered where the reason is `arm_gated`.
        propensity: the arm's share of the experiment at the time, above 0 to 1.
        is_sticky: whether the same unit gets it again.
    """

    experiment: str
    revision: str
    layer: str
    arm: str
    propensity: float
    is_sticky: bool


@value
class Receipt:
    """One prediction.

    Attributes:
        issued_at: when it was made, to the millisecond, in UTC.
        variant: that answered.
        digest: first `DIGEST_CHARS` hexadecimal digits of its digest.
        modalities: the inputs that were used.
        tasks: at least one.
        reason: why that variant.
        draw: of the experiment, or None outside of experiments.
        unit: keyed hash of the unit key, 16 hexadecimal digits; None without one.
        nonce: random bytes that make it unique.
    """

    issued_at: datetime
    variant: str
    digest: str
    modalities: ModalitySet
    tasks: tuple[PredictedTask, ...]
    reason: Reason
    draw: DrawnArm | None
    unit: str | None
    nonce: bytes


@value
class SignedReceipt:
    """A receipt and its text.

    Attributes:
        text: the `prediction_id`.
        key: names the prediction in tables and files: 32 hexadecimal digits, the signature.
        receipt: what it says.
    """

    text: str
    key: str
    receipt: Receipt
