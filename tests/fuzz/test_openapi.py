"""The OpenAPI page's own promise, held by schemathesis against a gateway over real HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import ROOT
from tests.fuzz.conftest import PROFILE

if TYPE_CHECKING:
    from tests.fuzz.conftest import ServedGateway

CONFIG = Path(__file__).with_name("schemathesis.toml")
REQUEST_TIMEOUT_S = 20
"""Four times the budget of a request: what takes longer hangs."""
_LEAST_EXAMPLES = 60


def test_api_keeps_what_its_openapi_page_says(served: ServedGateway, tmp_path: Path) -> None:
    # Of each operation, in each of four phases: a tenth of what one fuzzed function gets is more.
    examples = max(_LEAST_EXAMPLES, PROFILE.max_examples // 10)
    options = ("--max-examples", str(examples), "--workers", "1")
    limits = ("--request-timeout", str(REQUEST_TIMEOUT_S), "--generation-database", "none")
    seed = ("--seed", "1") if PROFILE.derandomize else ()

    run = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(CONFIG), "run", f"{served.url}/openapi.json"),
            *(*options, *limits, *seed, "--no-color", "--header", f"X-Api-Key: {served.api_key}"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # of the hook that the configuration names
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
    assert re.search(r"Test cases:\s+\d+ generated, \d+ passed", run.stdout)
    sys.stdout.write(run.stdout[run.stdout.rindex("SUMMARY") :])  # `make fuzz` shows it
    assert served.internal_errors() == []
    assert served.is_alive()
