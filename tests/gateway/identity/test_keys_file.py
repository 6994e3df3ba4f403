from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.identity.exposure import first_keys, is_loopback
from gateway.identity.keys_file import MAX_FILE_BYTES, read_keys
from gateway.identity.principal import LOCAL_SCOPES, Scope
from gateway.start_errors import ExposedWithoutKeysError, KeysFileError
from tests.gateway.key_files import Keys
from tests.readme_examples import example

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "0" * 64
GOOD = f'[[key]]\nid = "shop"\nsha256 = ["{DIGEST}"]\nscopes = ["classify"]\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[key", "not TOML"),
        (GOOD + GOOD, "several keys have the id shop"),
        (GOOD.replace("shop", "Shop"), "key.0.id"),
        (GOOD.replace("shop", "anonymous"), "is for callers without a key"),
        (GOOD.replace('"classify"', '"root"'), "key.0.scopes.0"),
        (GOOD.replace('"classify"', ""), "key.0.scopes"),
        (GOOD.replace(f'"{DIGEST}"', ""), "key.0.sha256"),
        (GOOD + "rate_rps = 0\n", "key.0.rate_rps"),
        (GOOD + "burst = 5\n", "burst needs rate_rps"),
        (GOOD + "weight = -1\n", "key.0.weight"),
        (GOOD + "not_after = 2027-01-01\n", "key.0.not_after"),
        (GOOD + "wieght = 2\n", "key.0.wieght"),
        ("keys = []\n", "keys"),
        ('anonymous_scopes = ["classify"]\n', "anonymous_scopes: only for servers"),
    ],
)
def test_read_keys_fault_is_named_by_its_place(tmp_path: Path, text: str, fault: str) -> None:
    keys = Keys(tmp_path)
    keys.replace(text)
    with pytest.raises(KeysFileError) as caught:
        read_keys(keys.path, is_exposed=True)
    assert fault in str(caught.value)
    assert str(keys.path) in str(caught.value)


def test_read_keys_key_in_place_of_its_hash_is_not_repeated(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.replace(GOOD.replace(DIGEST, "diptych_shop_secret"))
    with pytest.raises(KeysFileError) as caught:
        read_keys(keys.path, is_exposed=True)
    assert "key.0.sha256.0" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_read_keys_not_utf8_missing_and_too_large_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    for content, fault in ((None, "No such file"), (b"\xff", "UTF-8")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(KeysFileError, match=fault):
            read_keys(path, is_exposed=True)
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(KeysFileError, match="more than"):
        read_keys(path, is_exposed=True)


def test_read_keys_anonymous_scopes_are_for_loopback(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.replace('anonymous_scopes = ["classify"]\n' + GOOD)
    assert first_keys(keys.path, "127.0.0.1", "::1").anonymous_scopes == {Scope.CLASSIFY}
    with pytest.raises(KeysFileError):
        first_keys(keys.path, "127.0.0.1", "10.0.0.1")


def test_first_keys_without_a_file_only_loopback_is_served() -> None:
    assert first_keys(None, "127.0.0.1", "localhost", "::1").anonymous_scopes == LOCAL_SCOPES
    with pytest.raises(ExposedWithoutKeysError) as caught:
        first_keys(None, "127.0.0.1", "0.0.0.0")  # noqa: S104 - never bound
    assert "DIPTYCH_GATEWAY_API_KEYS_FILE" in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "gateway", "127.0.0.1.nip.io"])  # noqa: S104 - never bound
def test_is_loopback_what_others_may_reach_is_not(host: str) -> None:
    assert not is_loopback(host)


def test_read_keys_takes_the_example_of_the_readme(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.replace(example("toml", "keys"))
    (record,) = read_keys(keys.path, is_exposed=True).records.values()
    assert record.principal.scopes == {Scope.CLASSIFY, Scope.FEEDBACK}
    assert record.not_after is not None
