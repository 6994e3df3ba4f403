"""Labels that were checked, for tests of what comes after."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.feedback.verdict import Entry
from gateway.receipts.receipt import DrawnArm, Receipt, SignedReceipt, labels_value
from gateway.receipts.ring import ReceiptRing
from gateway.routing.reason import Reason
from tests.gateway.receipts.receipts import NOW, make_keys, make_receipt, predicted_task

if TYPE_CHECKING:
    from datetime import datetime

RING = ReceiptRing(make_keys())


def signed(
    predicted: str = "food",
    confidence: float = 0.8,
    *,
    variant: str = "demo",
    arm: str | None = None,
    at: datetime = NOW,
    unit: str | None = None,
) -> SignedReceipt:
    """Signs a receipt of one task; in the experiment `heads` where an arm is given."""
    draw = arm and DrawnArm("heads", "0badcafe", "default", arm, 0.5, is_sticky=True)
    receipt: Receipt = make_receipt(
        variant=variant,
        tasks=(predicted_task(predicted, scores=(confidence,)),),
        draw=draw or None,
        reason=Reason.ASSIGNED if draw else Reason.NEWEST,
        issued_at=at,
        unit=unit,
    )
    return RING.sign(receipt)


def entry(
    receipt: SignedReceipt, label: str | None, *, weight: float = 1.0, after_s: float = 60
) -> Entry:
    """Labels the first task of a receipt; None: unsure."""
    task = receipt.receipt.tasks[0]
    value = None if label is None else labels_value((label,), "one")
    return Entry(
        receipt,
        task,
        value,
        None if value is None else value == task.value,
        weight,
        NOW + timedelta(seconds=after_s),
        "shop",
    )
