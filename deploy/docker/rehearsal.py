"""Does what a Dockerfile does without Docker: installs an image's packages and starts what it runs.

A fresh environment gets the exact list, and the project's own code as the Dockerfile copies it;
nothing else of the repository can be imported. Not rehearsed are the base image, the user and the
read-only root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from deploy.docker.errors import EntryPointError, InstallError
from deploy.local.errors import ServiceError
from deploy.local.published import select
from deploy.local.service import Endpoint, Launch, Service
from deploy.local.triton_server import BundledTriton, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deploy.docker.errors import ImageError

_READY_TIMEOUT_S: Final = 120.0
_INSTALL_TIMEOUT_S: Final = 1800
_IMPORT_ALL: Final = """
import importlib, pkgutil, exporters
for module in pkgutil.walk_packages(exporters.__path__, "exporters."):
    # The python backend's modules run inside Triton; entry points act when they are imported.
    if ".python_backend" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def rehearse(image: str, root: Path, folder: Path) -> None:
    """Installs the packages of an image into `folder` and starts its entry point from there.

    Args:
        image: `gateway`, `exporters` or `triton`; the last needs the demo in `model_repository`.
        root: the repository.
        folder: an empty folder, outside the repository.

    Raises:
        InstallError: the list cannot be installed, or a package lacks what it needs.
        EntryPointError: what the image runs does not start.
    """
    python = install(image, root, folder)
    if image == "gateway":
        _start_gateway(python, folder)
    elif image == "exporters":
        _run(EntryPointError, image, [str(python), "-m", "exporters", "--help"], folder)
        _run(EntryPointError, image, [str(python), "-c", _IMPORT_ALL], folder)
    else:
        _start_triton(python, root / "model_repository", folder)


def install(image: str, root: Path, folder: Path) -> Path:
    """Makes an environment of an image's packages, and returns its interpreter.

    Raises:
        InstallError: it cannot be installed, or a package lacks what it needs.
    """
    home = folder / "environment"
    _run(InstallError, image, [sys.executable, "-m", "venv", "--without-pip", str(home)], folder)
    python = home / "bin" / "python"
    # This interpreter's pip, for the other environment.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    wanted = root / "deploy" / "docker" / f"{image}-packages.txt"
    packages = ["install", "--quiet", "--no-deps", "--no-compile", "--requirement", str(wanted)]
    _run(InstallError, image, [*pip, *packages], folder)
    _run(InstallError, image, [*pip, "check"], folder)
    dockerfile = (root / "deploy" / "docker" / f"{image}.Dockerfile").read_text(encoding="utf-8")
    if "install --no-deps ." in dockerfile:
        source = folder / "source"
        _copy_as_written(dockerfile, root, source)
        _run(
            InstallError,
            image,
            [*pip, "install", "--quiet", "--no-deps", "--no-compile", str(source)],
            folder,
        )
    return python


def _copy_as_written(dockerfile: str, root: Path, source: Path) -> None:
    source.mkdir()
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        for name in line.split()[:-1]:
            if (root / name).is_dir():
                shutil.copytree(
                    root / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(root / name, source)


@dataclass(kw_only=True)
class _InstalledGateway(Service):
    """The gateway out of the environment; alive is enough, as there is no Triton."""

    name: ClassVar[str] = "gateway"

    python: Path
    http_port: int
    grpc_port: int
    capture_folder: Path

    @property
    def endpoint(self) -> Endpoint:
        ports = {"HTTP": self.http_port, "gRPC": self.grpc_port}
        return Endpoint(ports, "127.0.0.1", self.http_port, "/livez")

    def launch(self) -> Launch:
        # -P: the folder it is started in is not on the path, and the repository is not in reach.
        return Launch(
            (str(self.python), "-P", "-m", "gateway"),
            {
                "PATH": os.defpath,
                "DIPTYCH_GATEWAY_HTTP_PORT": str(self.http_port),
                "DIPTYCH_GATEWAY_GRPC_PORT": str(self.grpc_port),
                # What needs packages of its own and is off unless it is asked for.
                "DIPTYCH_GATEWAY_HAS_TRACING": "true",
                "DIPTYCH_GATEWAY_CAPTURE_FOLDER": str(self.capture_folder),
                "DIPTYCH_GATEWAY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            },
        )


def _start_gateway(python: Path, folder: Path) -> None:
    http_port, grpc_port = free_ports(2)
    gateway = _InstalledGateway(
        python=python,
        http_port=http_port,
        grpc_port=grpc_port,
        capture_folder=folder / "capture",
        log_path=folder / "gateway.log",
    )
    _start("gateway", gateway)


@dataclass(kw_only=True)
class _TritonOnPackages(BundledTriton):
    """The bundled server, whose models find the packages of the environment and no others."""

    python: Path

    def launch(self) -> Launch:
        launch = super().launch()
        path = f"{self.python.parent}:{launch.environment['PATH']}"
        return Launch(launch.command, {**launch.environment, "PATH": path})


def _start_triton(python: Path, repository: Path, folder: Path) -> None:
    http_port, grpc_port, metrics_port = free_ports(3)
    triton = _TritonOnPackages(
        python=python,
        repository=repository,
        models=select(repository, ["openmoji"]).models,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        log_path=folder / "triton.log",
    )
    _start("triton", triton)


def _start(image: str, service: Service) -> None:
    try:
        service.start()
        service.wait_ready(_READY_TIMEOUT_S)
    except ServiceError as error:
        raise EntryPointError(image, str(error)) from error
    finally:
        service.stop()


def _run(
    error: Callable[[str, str], ImageError], image: str, command: Sequence[str], folder: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_TIMEOUT_S,
    )
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise error(image, lines[-1] if lines else f"exit code {result.returncode}")
