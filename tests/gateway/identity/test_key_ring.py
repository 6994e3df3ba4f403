from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gateway.errors import ForbiddenError, UnauthenticatedError
from gateway.identity.api_key import digest_of, new_key
from gateway.identity.key_ring import KeyRing
from gateway.identity.keys_file import KeySet, read_keys
from gateway.identity.principal import LOCAL_SCOPES, Scope, require
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from pathlib import Path


def ring_of(keys: Keys, now: datetime | None = None) -> KeyRing:
    return KeyRing(
        read_keys(keys.path, is_exposed=True), lambda: now or datetime(2026, 1, 1, tzinfo=UTC)
    )


def code_of(ring: KeyRing, key: str) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        ring.authenticate(key)
    return caught.value.code


def test_authenticate_good_key_is_its_holder(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop", "classify", "feedback", extra="rate_rps = 5\nweight = 2")
    principal = ring_of(keys).authenticate(key)
    assert (principal.key_id, principal.weight) == ("shop", 2.0)
    assert principal.scopes == {Scope.CLASSIFY, Scope.FEEDBACK}
    assert principal.rate_limit is not None
    assert (principal.rate_limit.rate_rps, principal.rate_limit.burst) == (5, 10)


def test_authenticate_key_of_another_id_is_unknown(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    own = keys.add("shop")
    keys.add("ops", "admin")
    stolen = own.replace("shop", "ops")
    assert code_of(ring_of(keys), stolen) == "key_unknown"


@pytest.mark.parametrize(
    "sent", ["", "secret", "diptych_shop_", "diptych__" + "a" * 43, "diptych_shop_" + "é" * 43]
)
def test_authenticate_what_is_no_key_is_unknown(tmp_path: Path, sent: str) -> None:
    keys = Keys(tmp_path)
    keys.add("shop")
    assert code_of(ring_of(keys), sent) == "key_unknown"


def test_authenticate_hash_itself_is_no_key(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    digest = digest_of(keys.add("shop"))
    assert code_of(ring_of(keys), digest) == "key_unknown"
    assert code_of(ring_of(keys), f"diptych_shop_{digest[:43]}") == "key_unknown"


def test_authenticate_while_a_key_is_replaced_both_are_good(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    old, new = new_key("shop"), new_key("shop")
    keys.append(
        f'[[key]]\nid = "shop"\nscopes = ["classify"]\n'
        f'sha256 = ["{digest_of(old)}", "{digest_of(new)}"]\n'
    )
    ring = ring_of(keys)
    assert ring.authenticate(old) == ring.authenticate(new)


def test_authenticate_after_its_time_key_is_expired(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop", extra="not_after = 2026-06-30T12:00:00+02:00")
    ring_of(keys, datetime(2026, 6, 30, 10, 0, tzinfo=UTC)).authenticate(key)
    after = ring_of(keys, datetime(2026, 6, 30, 10, 0, 1, tzinfo=UTC))
    assert code_of(after, key) == "key_expired"


def test_authenticate_without_key_allows_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("shop")
    assert not ring_of(keys).authenticate(None).scopes


def test_authenticate_empty_file_still_asks_for_keys(tmp_path: Path) -> None:
    assert code_of(ring_of(Keys(tmp_path)), new_key("shop")) == "key_unknown"


def test_require_names_the_scope_that_is_missing(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop")
    principal = ring_of(keys).authenticate(key)
    with pytest.raises(ForbiddenError) as caught:
        require(principal, Scope.ADMIN)
    assert caught.value.scope == "admin"
    assert "admin" in caught.value.detail


def test_require_on_loopback_everyone_may_classify_and_nobody_administer() -> None:
    ring = KeyRing(KeySet(anonymous_scopes=LOCAL_SCOPES, is_enforced=False))
    principal = ring.authenticate("whatever")
    require(principal, Scope.CLASSIFY)
    require(principal, Scope.FEEDBACK)
    with pytest.raises(UnauthenticatedError) as caught:
        require(principal, Scope.ADMIN)
    assert "admin" in caught.value.detail
