from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from deploy.local import triton_runtime
from deploy.local.errors import TritonRuntimeError

if TYPE_CHECKING:
    from pathlib import Path


def test_assemble_puts_backend_and_stub_side_by_side(tmp_path: Path) -> None:
    runtime = triton_runtime.assemble(tmp_path)

    files = {path.name for path in (runtime.backend_folder / "python").iterdir() if path.exists()}
    assert files == {
        "libtriton_python.so",
        "triton_python_backend_stub",
        "triton_python_backend_utils.py",
    }
    assert os.access(runtime.server, os.X_OK)


def test_assemble_by_several_at_once_ends_well(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runtimes = list(pool.map(lambda _: triton_runtime.assemble(tmp_path), range(8)))

    assert len({runtime.backend_folder for runtime in runtimes}) == 1
    assert not list(tmp_path.rglob(".link-*"))


def test_assemble_link_to_elsewhere_is_put_right(tmp_path: Path) -> None:
    runtime = triton_runtime.assemble(tmp_path)
    stub = runtime.backend_folder / "python" / "triton_python_backend_stub"
    stub.unlink()
    stub.symlink_to("/no/such/place")

    triton_runtime.assemble(tmp_path)

    assert stub.exists()


def test_assemble_environment_is_found_by_its_python3_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    (decoy / "python3").symlink_to("/bin/false")
    monkeypatch.setenv("PATH", f"{decoy}:/usr/bin:/bin")

    path = triton_runtime.assemble(tmp_path / "runtime").environment["PATH"]

    found = shutil.which("python3", path=path)
    assert found is not None
    prefix = subprocess.check_output([found, "-c", "import sys; print(sys.prefix)"], text=True)
    assert prefix.strip() == sys.prefix


def test_assemble_interpreter_without_python3_beside_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "odd-python"))

    with pytest.raises(TritonRuntimeError, match=f"no python3 in {tmp_path}"):
        triton_runtime.assemble(tmp_path / "runtime")


def test_assemble_python_without_a_stub_names_those_that_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Version(tuple[int, ...]):
        major, minor = 3, 99

    monkeypatch.setattr(sys, "version_info", Version((3, 99)))

    with pytest.raises(TritonRuntimeError, match=r"Python 3\.99: use one of Python .*3\.11"):
        triton_runtime.assemble(tmp_path)


def test_prove_loadable_missing_library_is_named_with_the_remedy(tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.write_text("#!/bin/sh\necho 'libpython9.so: cannot open shared object file' >&2; exit 127")
    stub.chmod(0o755)

    with pytest.raises(TritonRuntimeError, match=r"libpython9\.so.*: install the shared library"):
        triton_runtime._prove_loadable(stub, {})
