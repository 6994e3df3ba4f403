"""Makes the Triton in the `nvidia-pytriton` wheel runnable under this very interpreter.

The wheel carries the server, its python backend and one *stub* a Python version: the program that
embeds an interpreter and runs a model. Triton wants backend and stub side by side in a folder; the
stub wants the interpreter's shared library and the environment's packages. This module provides
both and proves that the stub loads. `triton_server` starts what it describes.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import TritonRuntimeError

_DYNAMIC_LINKER_FAILED = 127  # exit status of ld.so when a library or a symbol version is missing


@dataclass(frozen=True)
class TritonRuntime:
    """All that one process needs to run the bundled Triton.

    Attributes:
        server: the `tritonserver` program.
        backend_folder: for `--backend-directory`.
        environment: variables to set for the server, and for it alone: its libraries must not
            leak into other programs.
    """

    server: Path
    backend_folder: Path
    environment: dict[str, str]


def assemble(folder: Path) -> TritonRuntime:
    """Lays out the backend folder and proves that this Python's stub can be loaded.

    Cheap (symbolic links and one short process), so it is done at every start; several processes
    may do it at once.

    Args:
        folder: where the links go; created as needed.

    Raises:
        TritonRuntimeError: the package is missing, has no stub for this Python, or the stub does
            not load.
    """
    package = _package_folder()
    python_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    bundle = package / "tritonserver"
    stub = bundle / "python_backend_stubs" / python_version / "triton_python_backend_stub"
    if not stub.exists():
        versions = sorted(path.name for path in stub.parent.parent.glob("3.*"))
        raise TritonRuntimeError(
            f"The bundled Triton cannot run models under Python {python_version}",
            f"use one of Python {', '.join(versions)}",
        )
    backend = folder / "backends" / "python"
    sources = bundle / "backends" / "python"
    for target in (
        sources / "libtriton_python.so",
        sources / "triton_python_backend_utils.py",
        stub,
    ):
        _link(backend / target.name, target)
    runtime = TritonRuntime(
        server=bundle / "bin" / "tritonserver",
        backend_folder=backend.parent,
        environment=_environment(package, folder / "lib"),
    )
    _prove_loadable(backend / stub.name, runtime.environment)
    return runtime


def _package_folder() -> Path:
    spec = importlib.util.find_spec("pytriton")  # found, not imported: importing it takes seconds
    if spec is None or not spec.submodule_search_locations:
        raise TritonRuntimeError(
            "The package nvidia-pytriton is not installed", "run `make venv`, or pip install it"
        )
    return Path(spec.submodule_search_locations[0])


def _environment(package: Path, library_folder: Path) -> dict[str, str]:
    libraries = [package.parent / "nvidia_pytriton.libs"]
    library = _python_library()
    if library is not None:
        # The library alone, not its folder: a Python's lib/ may hold a libstdc++ that Triton must
        # not be given.
        _link(library_folder / library.name, library)
        libraries.append(library_folder)
    return {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PATH": f"{_interpreter_folder()}:{os.environ.get('PATH', os.defpath)}",
    }


def _interpreter_folder() -> Path:
    """Finds the folder by which the stub will know this environment.

    The stub's interpreter runs isolated (pybind11 starts it with `PyConfig_InitIsolatedConfig`):
    PYTHONPATH and PYTHONHOME are ignored, whatever Triton's documentation says of them. What is
    left is CPython's own search (Modules/getpath.py): the first `python3` on PATH, with the
    pyvenv.cfg beside it, decides on the standard library and on site-packages.
    """
    folder = Path(sys.executable).parent
    if not (folder / "python3").exists():
        raise TritonRuntimeError(
            f"There is no python3 in {folder}, by which Triton's models find their packages",
            "use a virtual environment as `make venv` makes it",
        )
    return folder


def _python_library() -> Path | None:
    """Finds this interpreter's shared library; None leaves the search to the dynamic linker."""
    name = sysconfig.get_config_var("INSTSONAME")
    library_folder = sysconfig.get_config_var("LIBDIR")
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    # A relocated build (uv, conda) has its real lib/ under the prefix, whatever LIBDIR says.
    folders = [Path(sys.base_prefix, "lib"), Path(library_folder), Path(library_folder, multiarch)]
    return next((path for folder in folders if (path := folder / name).is_file()), None)


def _link(link: Path, target: Path) -> None:
    """Points a symbolic link at a target, in one step even when it exists or others do the same."""
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=link.parent, prefix=".link-") as scratch:
        fresh = Path(scratch, link.name)
        fresh.symlink_to(target)
        fresh.replace(link)


def _prove_loadable(stub: Path, environment: dict[str, str]) -> None:
    # Without arguments the stub complains and ends; what matters is that it came that far.
    result = subprocess.run(
        [str(stub)], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if result.returncode == _DYNAMIC_LINKER_FAILED:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise TritonRuntimeError(
            f"Triton's program for Python {version} does not load ({result.stderr.strip()})",
            f"install the shared library of this Python (Debian, Ubuntu: libpython{version}), "
            "or use a Python that was built with one",
        )
