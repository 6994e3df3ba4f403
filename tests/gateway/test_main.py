from __future__ import annotations

import subprocess
import sys


def test_entry_point_loads_numpy_only_after_its_threads_are_limited() -> None:
    # `main` limits OpenBLAS to one thread; the library reads that when numpy is first loaded.
    code = "import sys, gateway.__main__; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"
