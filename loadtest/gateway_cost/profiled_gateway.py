"""Runs the gateway and samples it: `python -m loadtest.gateway_cost.profiled_gateway FILE`.

SIGUSR1 begins to sample; at the gateway's end the shares are written to the file.
"""

from __future__ import annotations

import json
import runpy
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.gateway_cost.sampler import CpuClocks, shares, start_sampling, stop_sampling

if TYPE_CHECKING:
    from types import FrameType


def main(path: Path) -> None:
    """Runs the gateway until a signal.

    Args:
        path: of the file for the shares.
    """
    begun: list[CpuClocks] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stacks:

        def begin(_number: int, _frame: FrameType | None) -> None:
            if not begun:
                begun.append(start_sampling(stacks))

        signal.signal(signal.SIGUSR1, begin)
        sys.argv[1:] = []
        try:
            runpy.run_module("gateway", run_name="__main__", alter_sys=True)
        finally:
            if begun:
                ended = stop_sampling()
                stacks.seek(0)
                found = shares(stacks.read(), begun[0], ended)
                partial = path.with_suffix(".partial")
                partial.write_text(json.dumps(found), encoding="utf-8")
                partial.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
