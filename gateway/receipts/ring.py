"""Signs receipts and checks them: the one place where signatures are compared.

A `prediction_id` is `pred_` and base64url of: version (1 byte), fingerprint of the key (4), the
first 16 bytes of HMAC-SHA-256 (RFC 2104; 128 bits, RFC 2104's least) over all the rest, and the
receipt. Nothing in it is secret: it says what its caller was answered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gateway.errors import InvalidReceiptError
from gateway.receipts.codec import decode, encode
from gateway.receipts.receipt import SignedReceipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.receipts.keys_file import ReceiptKey, ReceiptKeys
    from gateway.receipts.receipt import Receipt

PREFIX: Final = "pred_"
MAX_CHARS: Final = 8192

_VERSION: Final = b"\x01"
_FINGERPRINT_BYTES: Final = 4
_TAG_BYTES: Final = 16
_HEAD_BYTES: Final = len(_VERSION) + _FINGERPRINT_BYTES
_UNIT_BYTES: Final = 8
# What a secret is used for is part of what is hashed, so that no use can stand in for another.
_SIGNING: Final = b"diptych receipt\0"
_NAMING: Final = b"diptych receipt key\0"
_UNIT: Final = b"diptych unit\0"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Signer:
    """What one key signs with."""

    signs_from: datetime
    head: bytes
    begun: hmac.HMAC  # and copied each time: to look the algorithm up takes as long as to use it

    def tag(self, payload: bytes) -> bytes:
        mac = self.begun.copy()
        mac.update(self.head + payload)
        return mac.digest()[:_TAG_BYTES]


class ReceiptRing:
    """The keys that are good at the moment.

    Args:
        keys: to begin with.
        now: reads the wall clock, by which keys begin to sign.
    """

    def __init__(self, keys: ReceiptKeys, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self.replace(keys)

    def replace(self, keys: ReceiptKeys) -> None:
        """Takes other keys in place of all that there are."""
        self._keys = keys
        # The last that began to sign: of equals the one further down in the file.
        self._by_start = [
            _signer(each) for each in sorted(keys.keys, key=lambda each: each.signs_from)
        ]
        self._by_head = {each.head: each for each in self._by_start}

    def __len__(self) -> int:
        return len(self._keys.keys)

    @property
    def is_ephemeral(self) -> bool:
        """Whether the keys end with this process."""
        return self._keys.is_ephemeral

    def sign(self, receipt: Receipt) -> SignedReceipt:
        """Makes the text of a receipt."""
        signer = self._signing()
        payload = encode(receipt)
        tag = signer.tag(payload)
        text = base64.urlsafe_b64encode(signer.head + tag + payload).rstrip(b"=").decode()
        return SignedReceipt(PREFIX + text, tag.hex(), receipt)

    def verify(self, text: str) -> SignedReceipt:
        """Checks a text and reads its receipt; how old it is, the caller judges.

        Raises:
            InvalidReceiptError: none of the keys signed it as it is.
        """
        blob = _unwrap(text)
        if blob[:1] != _VERSION:
            raise _unknown_version()
        head, tag, payload = (
            blob[:_HEAD_BYTES],
            blob[_HEAD_BYTES : _HEAD_BYTES + _TAG_BYTES],
            blob[_HEAD_BYTES + _TAG_BYTES :],
        )
        signer = self._by_head.get(head)
        if signer is None:
            raise InvalidReceiptError(
                "receipt_key_unknown",
                "The prediction_id was signed with a key that this service does not have: another "
                "service signed it, or the key was taken out, or replicas do not share one file "
                "of receipt keys.",
            )
        if not hmac.compare_digest(signer.tag(payload), tag):
            raise InvalidReceiptError(
                "receipt_forged",
                "The prediction_id was changed or cut since it was signed; send it as it came.",
            )
        try:
            return SignedReceipt(text, tag.hex(), decode(payload))
        except ValueError as error:
            raise _unknown_version() from error

    def unit_hash(self, unit: str) -> str | None:
        """Returns what stands for a unit key in a receipt, or None where nothing may."""
        secrets = self._keys.unit_secrets
        return _unit_hash(secrets[0], unit) if secrets else None

    def unit_hashes(self, unit: str) -> tuple[str, ...]:
        """Returns all that may stand for a unit key in what is stored: one for each secret."""
        return tuple(_unit_hash(each, unit) for each in self._keys.unit_secrets)

    def _signing(self) -> _Signer:
        now = self._now()
        for each in reversed(self._by_start):
            if each.signs_from <= now:
                return each
        return self._by_start[0]


def _signer(key: ReceiptKey) -> _Signer:
    begun = hmac.new(key.secret, _SIGNING, hashlib.sha256)
    return _Signer(key.signs_from, _VERSION + _fingerprint(key), begun)


def _unwrap(text: str) -> bytes:
    blob = b""
    if text.startswith(PREFIX) and len(text) <= MAX_CHARS:
        encoded = text.removeprefix(PREFIX)
        try:
            padded = encoded.encode("ascii") + b"=" * (-len(encoded) % 4)
            blob = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            blob = b""
        # Of the texts that stand for the same bytes only one is ours.
        if base64.urlsafe_b64encode(blob).rstrip(b"=").decode() != encoded:
            blob = b""
    if len(blob) <= _HEAD_BYTES + _TAG_BYTES:
        raise InvalidReceiptError(
            "receipt_malformed",
            "The prediction_id is not one of this service's; send the one of the answer, whole.",
        )
    return blob


def _unknown_version() -> InvalidReceiptError:
    return InvalidReceiptError(
        "receipt_version_unknown",
        "The prediction_id is of a form that this release does not read; ask an operator whether "
        "an older release runs beside a newer one.",
    )


def _fingerprint(key: ReceiptKey) -> bytes:
    return hmac.digest(key.secret, _NAMING, hashlib.sha256)[:_FINGERPRINT_BYTES]


def _unit_hash(secret: bytes, unit: str) -> str:
    return hmac.digest(secret, _UNIT + unit.encode(), hashlib.sha256)[:_UNIT_BYTES].hex()
