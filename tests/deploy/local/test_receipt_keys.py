from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.local import receipt_keys
from deploy.local.errors import PreflightError
from gateway.receipts.keys_file import read_receipt_keys

if TYPE_CHECKING:
    from pathlib import Path


def test_ensure_makes_keys_once_for_their_owner_alone(tmp_path: Path) -> None:
    file = receipt_keys.ensure(tmp_path / "receipt-keys.toml")
    first = read_receipt_keys(file)
    assert read_receipt_keys(receipt_keys.ensure(file)) == first
    assert len(first.unit_secrets) == 1
    assert file.stat().st_mode & 0o077 == 0


def test_ensure_in_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="Receipt keys cannot be made"):
        receipt_keys.ensure(tmp_path / "missing" / "receipt-keys.toml")
