from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidReceiptError
from gateway.receipts.keys_file import ReceiptKeys, new_secret
from gateway.receipts.ring import MAX_CHARS, PREFIX, ReceiptRing
from tests.gateway.receipts.receipts import NOW, make_keys, make_receipt

RING = ReceiptRing(make_keys(), lambda: NOW)
SIGNED = RING.sign(make_receipt())


def refused(ring: ReceiptRing, text: str) -> str:
    with pytest.raises(InvalidReceiptError) as raised:
        ring.verify(text)
    assert raised.value.field == "prediction_id"
    return raised.value.code


def test_sign_the_demos_receipt_is_short_and_verifies() -> None:
    read = RING.verify(SIGNED.text)
    assert len(SIGNED.text) < 200
    assert (read.key, read.receipt.draw) == (SIGNED.key, SIGNED.receipt.draw)


def test_sign_twice_the_same_has_two_keys() -> None:
    assert RING.sign(make_receipt()).key != RING.sign(make_receipt()).key


@given(position=st.integers(0), bit=st.integers(0, 7))
def test_verify_any_bit_changed_is_refused(position: int, bit: int) -> None:
    blob = bytearray(base64.urlsafe_b64decode(SIGNED.text.removeprefix(PREFIX) + "=="))
    blob[position % len(blob)] ^= 1 << bit
    changed = PREFIX + base64.urlsafe_b64encode(blob).rstrip(b"=").decode()
    assert refused(RING, changed) in {
        "receipt_forged",
        "receipt_key_unknown",
        "receipt_version_unknown",
    }


@given(kept=st.integers(0, len(SIGNED.text) - 1))
def test_verify_cut_short_is_refused(kept: int) -> None:
    assert refused(RING, SIGNED.text[:kept]) in {"receipt_forged", "receipt_malformed"}


@given(st.text())
def test_verify_anything_else_is_refused(text: str) -> None:
    assert refused(RING, PREFIX + text)
    assert refused(RING, text) == "receipt_malformed"


@pytest.mark.parametrize("text", ["", PREFIX, "pred_\u00e9", PREFIX + "A" * MAX_CHARS])
def test_verify_what_cannot_be_one_is_malformed(text: str) -> None:
    assert refused(RING, text) == "receipt_malformed"


def test_verify_another_text_of_the_same_bytes_is_malformed() -> None:
    for ending in "ABCDEFGHIJKLMNOP":
        text = SIGNED.text[:-1] + ending
        if text != SIGNED.text:
            assert refused(RING, text) in {"receipt_malformed", "receipt_forged"}


def test_verify_another_services_receipt_names_the_key() -> None:
    assert refused(ReceiptRing(make_keys()), SIGNED.text) == "receipt_key_unknown"


def test_replace_rotates_without_refusing_what_was_signed() -> None:
    keys = make_keys("old", "new")
    old, new = keys.keys
    ring = ReceiptRing(replace(keys, keys=(old,)), lambda: NOW)
    before = ring.sign(make_receipt()).text
    ring.replace(keys)
    after = ring.sign(make_receipt()).text
    ring.verify(before)
    ring.replace(replace(keys, keys=(new,)))
    ring.verify(after)
    assert refused(ring, before) == "receipt_key_unknown"


def test_sign_uses_a_key_from_its_time_on_and_verifies_it_before() -> None:
    keys = make_keys("old", "new")
    old, new = keys.keys
    later = replace(new, signs_from=NOW + timedelta(minutes=5))
    moment = NOW
    ring = ReceiptRing(replace(keys, keys=(later, old)), lambda: moment)
    alone_new = ReceiptRing(replace(keys, keys=(later,)), lambda: moment)

    early = ring.sign(make_receipt()).text
    assert refused(alone_new, early) == "receipt_key_unknown"
    # A replica whose clock is ahead signs with it already.
    ring.verify(alone_new.sign(make_receipt()).text)
    moment = NOW + timedelta(minutes=6)
    alone_new.verify(ring.sign(make_receipt()).text)


def test_unit_hash_is_stable_keyed_and_all_secrets_are_looked_for() -> None:
    keys = make_keys()
    ring = ReceiptRing(keys)
    first = ring.unit_hash("user-1")
    assert first == ring.unit_hash("user-1") != ring.unit_hash("user-2")
    assert ReceiptRing(make_keys()).unit_hash("user-1") != first
    ring.replace(replace(keys, unit_secrets=(new_secret().encode(), *keys.unit_secrets)))
    assert ring.unit_hash("user-1") != first
    assert first in ring.unit_hashes("user-1")


def test_ephemeral_keys_name_no_unit() -> None:
    ring = ReceiptRing(ReceiptKeys.ephemeral())
    assert ring.is_ephemeral
    assert ring.unit_hash("user-1") is None
    assert ring.verify(ring.sign(make_receipt()).text)
