from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from rich.console import Console

from loadtest.alternatives.servers import compare_servers
from loadtest.bench.corpus import Example
from loadtest.bench.narrator import Narrator

if TYPE_CHECKING:
    from pathlib import Path


def test_compare_servers_measures_what_is_installed_and_names_what_is_not(tmp_path: Path) -> None:
    console = Console(record=True, width=200)

    found = compare_servers(
        [Example(b"x" * 60_000, "a sentence", 4)], None, 1.0, tmp_path, Narrator(console)
    )

    measured = [
        (each.clients, each.what) for each in found if each.server == "uvicorn" and each.cpu_ms > 0
    ]
    # In ticks of 10 ms, and on busy cores: of one client a window of a second may count nothing.
    assert {(16, "answered"), (16, "refused")} <= set(measured)
    said = console.export_text()
    for name in ("granian", "hypercorn"):
        is_missing = importlib.util.find_spec(name) is None
        assert (f"{name} is not installed here" in said) is is_missing
