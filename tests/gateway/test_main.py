from __future__ import annotations

import os
import subprocess
import sys

from gateway.__main__ import GRPC_EXPERIMENTS


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, **variables},
    )


def test_entry_point_loads_what_reads_its_variables_only_after_they_are_set() -> None:
    # `main` limits OpenBLAS to one thread and chooses gRPC's engine; both are read once, on load.
    done = run("import sys, gateway.__main__; print({'numpy', 'grpc'} & set(sys.modules))")
    assert done.stdout.strip() == "set()"


def test_grpc_knows_the_experiments_that_are_switched_off() -> None:
    code = "import asyncio, grpc; grpc.insecure_channel('127.0.0.1:1').close()"
    assert "no-such" in run(code, GRPC_EXPERIMENTS="-no-such").stderr
    assert run(code, GRPC_EXPERIMENTS=GRPC_EXPERIMENTS).stderr == ""
