from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.identity.key_ring import KeyRing
from gateway.identity.keys_file import read_keys
from gateway.identity.principal import Scope
from gateway.keys.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def test_new_with_file_prints_the_key_alone_and_keeps_only_its_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.toml"
    options = ["--scope", "classify", "--file", str(file)]
    assert main(["new", "--id", "shop", *options, "--rate-rps", "5", "--weight", "2"]) == 0
    assert main(["new", "--id", "ops", "--scope", "admin", *options]) == 0
    shop, ops = capsys.readouterr().out.split()
    ring = KeyRing(read_keys(file, is_exposed=True))
    assert ring.authenticate(shop).rate_limit is not None
    assert ring.authenticate(ops).scopes == {Scope.ADMIN, Scope.CLASSIFY}
    assert shop[-43:] not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_new_without_file_prints_an_entry_that_can_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "--id", "shop", "--scope", "classify", "--not-after", "2090-01-01"]) == 0
    printed = capsys.readouterr().out
    key = next(line for line in printed.splitlines() if line.startswith("diptych_shop_"))
    file = tmp_path / "keys.toml"
    file.write_text(printed[printed.index("[[key]]") :])
    assert KeyRing(read_keys(file, is_exposed=True)).authenticate(key).key_id == "shop"


def test_new_that_the_gateway_would_refuse_leaves_the_file_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.toml"
    command = ["new", "--id", "shop", "--scope", "classify", "--file", str(file)]
    assert main(command) == 0
    before = file.read_text()
    assert main(command) == 1
    assert file.read_text() == before
    assert "several keys have the id shop" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "options", [["--id", "Shop"], ["--id", "shop", "--scope", "root"], ["--not-after", "soon"]]
)
def test_new_wrong_option_is_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["new", "--id", "a", "--scope", "classify", *options])
    assert caught.value.code == 2
    assert options[-1] in capsys.readouterr().err


def test_check_lists_keys_without_their_hashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.toml"
    main(["new", "--id", "old", "--scope", "classify", "--not-after", "2020-01-01",
          "--file", str(file)])  # fmt: skip
    capsys.readouterr()
    assert main(["check", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "old: classify; expired 2020-01-01" in printed
    assert main(["check", str(tmp_path / "none.toml")]) == 1
