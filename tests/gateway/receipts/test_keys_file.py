from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from gateway.receipts.__main__ import main
from gateway.receipts.keys_file import read_receipt_keys
from gateway.receipts.keys_watch import follow_receipt_keys
from gateway.receipts.ring import ReceiptRing
from gateway.start_errors import ReceiptKeysFileError
from gateway.telemetry.metrics import Metrics
from tests.gateway.receipts.receipts import make_receipt

if TYPE_CHECKING:
    from pathlib import Path

SECRET = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "receipts.toml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "key: Field required"),
        ("[[key]", "not TOML"),
        ('[[key]]\nid = "a"\nsecret = "short"', "key.0.secret"),
        (f'[[key]]\nid = "A"\nsecret = "{SECRET}"', "key.0.id"),
        (f'[[key]]\nid = "a"\nsecret = "{SECRET}"\nnot_after = 1', "key.0.not_after"),
        (f'[[key]]\nid = "a"\nsecret = "{SECRET}"\n' * 2, "two keys have one id"),
        (f'unit_secrets = ["{SECRET[:9]}"]', "unit_secrets.0"),
    ],
)
def test_read_what_is_not_right_says_where_and_shows_no_secret(
    path: Path, text: str, said: str
) -> None:
    path.write_text(text)
    with pytest.raises(ReceiptKeysFileError, match=r"gateway\.receipts new") as raised:
        read_receipt_keys(path)
    assert said in str(raised.value)
    assert SECRET[:9] not in str(raised.value)


def test_new_makes_a_file_for_its_owner_alone_that_is_read(path: Path) -> None:
    assert main(["new", str(path), "--id", "first"]) == 0
    keys = read_receipt_keys(path)
    assert ([each.id for each in keys.keys], len(keys.unit_secrets)) == (["first"], 1)
    assert path.stat().st_mode & 0o077 == 0


def test_new_again_adds_a_key_that_signs_later(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["new", str(path), "--id", "first"])
    ring = ReceiptRing(read_receipt_keys(path))
    text = ring.sign(make_receipt()).text
    assert main(["new", str(path), "--id", "second", "--after-s", "60"]) == 0

    ring.replace(read_receipt_keys(path))
    assert ring.sign(make_receipt()).text[:11] == text[:11]  # version and key
    capsys.readouterr()
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "first: good" in said
    assert "second: signs from" in said
    assert main(["show", str(path), text]) == 0
    assert "variant: openmoji" in capsys.readouterr().out


def test_show_a_forged_receipt_fails(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", str(path)])
    assert main(["show", str(path), "pred_AAAA"]) == 1
    assert "not one of this service's" in capsys.readouterr().err


@pytest.mark.anyio
async def test_watch_takes_over_new_keys_and_keeps_the_old_when_they_are_not_right(
    path: Path,
) -> None:
    main(["new", str(path), "--id", "first"])
    ring = ReceiptRing(read_receipt_keys(path))
    metrics = Metrics(CollectorRegistry())
    watch = follow_receipt_keys(path, ring, metrics.feedback)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"diptych_gateway_{name}", labels)

    main(["new", str(path), "--id", "second", "--after-s", "0"])
    await watch.look()
    assert len(ring) == 2
    assert value("receipt_keys") == 2
    path.write_text("broken")  # noqa: ASYNC240 - a test's own file
    await watch.look()
    assert len(ring) == 2
    assert value("receipt_keys_reloads_total", outcome="refused") == 1
