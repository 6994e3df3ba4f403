"""CPU time and memory of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from loadtest.bench.accounting import CLIENT, CpuReading, CpuUse, read_cpu, read_memory, role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_S = 0.4


@pytest.fixture
def busy_child() -> Iterator[subprocess.Popen[bytes]]:
    """A child that uses some CPU and 50 MB, says so, and waits."""
    script = (
        "import time; ballast = b'x' * 50_000_000\n"
        f"while time.process_time() < {_BUSY_S}: pass\n"
        "print('done', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


def test_cpu_use_own_and_foreign_shares_add_up() -> None:
    before = CpuReading(machine_s=100.0, idle_s=50.0, by_process_s={"client": 1.0})
    after = CpuReading(machine_s=106.0, idle_s=54.0, by_process_s={"client": 2.0, "gateway": 3.0})

    use = CpuUse.between(before, after)

    assert use.by_process_s == {"client": 1.0, "gateway": 3.0}
    assert use.foreign_ratio == pytest.approx(0.2)  # 6 s busy, 4 of them ours, of 10
    assert use.idle_ratio == pytest.approx(0.4)


def test_cpu_use_no_time_between_has_no_foreign_share() -> None:
    reading = CpuReading(100.0, 50.0, {"client": 1.0})

    assert CpuUse.between(reading, reading) == CpuUse({"client": 0.0}, 0.0, 0.0)


def test_read_cpu_counts_descendants_and_this_process(
    busy_child: subprocess.Popen[bytes],
) -> None:
    before = read_cpu()
    begun_s = time.process_time()
    while time.process_time() - begun_s < 0.2:
        pass
    use = CpuUse.between(before, read_cpu())

    # The kernel counts in ticks of 10 ms.
    assert use.by_process_s[CLIENT] == pytest.approx(0.2, abs=0.1)
    assert before.by_process_s[role(psutil.Process(busy_child.pid))] >= _BUSY_S - 0.05
    assert 0.0 <= use.foreign_ratio <= 1.0


def test_role_is_told_from_the_command_line(tmp_path: Path) -> None:
    model = tmp_path / "text-encoder-0123" / "1" / "model.py"
    model.parent.mkdir(parents=True)
    model.write_text("import time; print(flush=True); time.sleep(60)")
    # A python that is called as Triton calls its stub.
    command = ["/somewhere/triton_python_backend_stub", str(model), "region", "1048576"]
    with subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        name = role(psutil.Process(child.pid))
        child.kill()

    assert name == "text-encoder-0123"
    assert role(psutil.Process()) == CLIENT


def test_read_memory_of_a_process_holds_its_ballast(busy_child: subprocess.Popen[bytes]) -> None:
    alone = read_memory([busy_child.pid])
    both = read_memory([os.getpid()])  # this process and its child

    assert 45.0 < alone.pss_mib < 200.0
    assert alone.rss_mib >= alone.pss_mib
    assert both.pss_mib > alone.pss_mib
    assert sum(both.pss_by_process_mib.values()) == pytest.approx(both.pss_mib)
