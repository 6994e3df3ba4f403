from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

from exporters.digests import digest_of_file, digest_of_json, digest_of_source

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_digest_of_json_ignores_the_order_of_keys() -> None:
    assert digest_of_json({"a": 1, "b": 2}) == digest_of_json({"b": 2, "a": 1})
    assert digest_of_json([1, 2]) != digest_of_json([2, 1])


def test_digest_of_file_is_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "bytes"
    file.write_bytes(b"diptych" * 100_000)

    assert digest_of_file(file) == hashlib.sha256(b"diptych" * 100_000).hexdigest()


def test_digest_of_source_changes_with_a_module_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "sourced_package"
    package.mkdir()
    (package / "__init__.py").touch()
    module = package / "module.py"
    module.write_text("a = 1\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = digest_of_source(["sourced_package"])
    unchanged = digest_of_source(["sourced_package"])
    module.write_text("a = 2\n", encoding="utf-8")

    assert unchanged == before
    assert digest_of_source(["sourced_package"]) != before
