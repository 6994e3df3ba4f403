"""Receipts as the demo's answers have them, and what it costs to sign and to check one."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.contract.manifest import ModalitySet
from gateway.receipts.keys_file import read_receipt_keys
from gateway.receipts.receipt import (
    DrawnArm,
    PredictedTask,
    Receipt,
)
from gateway.receipts.ring import ReceiptRing
from gateway.routing.reason import Reason

if TYPE_CHECKING:
    from pathlib import Path

LABEL = "Animals & Nature"


@dataclass(frozen=True)
class SigningCost:
    """CPU time of one receipt.

    Attributes:
        sign_us: to make its text, in microseconds.
        verify_us: to check it and read it.
        chars: of the text.
    """

    sign_us: float
    verify_us: float
    chars: int


class Signer:
    """Signs as the gateway with the same file of keys does."""

    def __init__(self, keys_file: Path) -> None:
        self._ring = ReceiptRing(read_receipt_keys(keys_file))
        self._unit = self._ring.unit_hash("user")

    def sign(self) -> str:
        """Returns a prediction id that was not there before."""
        task = PredictedTask(
            "",
            "one",
            (LABEL,),
            None,
            (0.91, 0.04, 0.02, 0.01, 0.01),
        )
        receipt = Receipt(
            issued_at=datetime.now(UTC).replace(microsecond=0),
            variant="openmoji",
            digest="0123456789abcdef",
            modalities=ModalitySet.BOTH,
            tasks=(task,),
            reason=Reason.ASSIGNED,
            draw=DrawnArm("new-head", "0badcafe", "default", "openmoji", 0.5, is_sticky=True),
            unit=self._unit,
            nonce=os.urandom(6),
        )
        return self._ring.sign(receipt).text

    def measure(self, receipts: int) -> SigningCost:
        """Measures one after the other, in this thread."""
        texts = [self.sign() for _ in range(receipts // 10)]
        begun_s = time.thread_time()
        texts = [self.sign() for _ in range(receipts)]
        signed_s = time.thread_time()
        for text in texts:
            self._ring.verify(text)
        verified_s = time.thread_time()
        return SigningCost(
            1e6 * (signed_s - begun_s) / receipts,
            1e6 * (verified_s - signed_s) / receipts,
            len(texts[0]),
        )
