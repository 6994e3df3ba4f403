from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.gateway_cost.sampler import LOOP, OTHER_THREADS, CpuClocks, shares

ROOT = Path(__file__).parents[3]


def stack(*files: str) -> str:
    lines = "".join(f'  File "{file}", line 1 in f\n' for file in files)
    return f"Stack (most recent call first):\n{lines}"


MAIN = ("/app/gateway/server.py", "/app/gateway/__main__.py", "<frozen runpy>")


def test_shares_innermost_known_file_counts_and_all_add_up() -> None:
    stacks = "".join(
        (
            stack("/lib/json/encoder.py", "/app/gateway/api/answers.py", *MAIN),
            stack("/lib/python3.11/uuid.py", "/site-packages/uvicorn/protocols/x.py", *MAIN),
            stack("/lib/asyncio/events.py", *MAIN),
            stack("/site-packages/starlette/routing.py", "/app/gateway/api/edge.py", *MAIN),
            stack("/lib/selectors.py", "/lib/python3.11/threading.py"),  # another thread's
        )
    )
    found = shares(stacks, CpuClocks(1.0, 10.0), CpuClocks(1.8, 11.0))
    assert found == pytest.approx(
        {
            "classification, answer": 0.2,
            "HTTP server (uvicorn, httptools)": 0.2,
            LOOP: 0.2,
            "FastAPI, Starlette": 0.2,
            OTHER_THREADS: 0.2,
        }
    )


_BURN = """
import json, sys, tempfile, time
from loadtest.gateway_cost.sampler import shares, start_sampling, stop_sampling

def burn(end_s):
    while time.process_time() < end_s:
        sum(range(1000))

with tempfile.TemporaryFile("w+") as stacks:
    begun = start_sampling(stacks)
    exec(compile("burn(time.process_time() + 0.5)", "/x/gateway/admission/limit.py", "exec"))
    burn(time.process_time() + 0.1)
    ended = stop_sampling()
    stacks.seek(0)
    print(json.dumps(shares(stacks.read(), begun, ended)))
"""


def test_sampling_finds_where_cpu_time_goes() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _BURN], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(result.stdout)
    # Five sixths; of the 60 to 600 samples a tenth either way is four standard deviations or more.
    assert 0.63 <= found["identity, admission"] <= 0.97
    assert found[LOOP] >= 0.03
