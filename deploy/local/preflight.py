"""Looks before anything is started for what would make it fail, and finds all of it at once.

`bootstrap` asks first, without the project's packages; here the rest is asked: packages, memory,
shared memory for the models that were chosen, the owners of taken ports, Triton's runtime.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

import psutil

from deploy.local import bootstrap, triton_runtime
from deploy.local.errors import PreflightError, RepositoryError, TritonRuntimeError
from deploy.local.settings import env_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.local.published import Selection
    from deploy.local.settings import Settings

_EXTRAS = ("gateway", "serving", "local")
_BASE_MEMORY_BYTES = 512 * bootstrap.MIB  # Triton itself, the gateway, this launcher
_MODEL_MEMORY_BYTES = 160 * bootstrap.MIB  # one process with onnxruntime and its weights
_MODEL_SHARED_MEMORY_BYTES = 64 * bootstrap.MIB  # 16 MiB after warm-up; it grows with large images


def check(settings: Settings) -> Selection:
    """Looks at everything, and chooses what is to be served.

    Args:
        settings: the launcher's settings.

    Returns:
        The ensembles to load.

    Raises:
        PreflightError: something stands in the way; it carries every finding.
    """
    machine = bootstrap.this_machine(settings.workspace.absolute().parent)
    findings = [
        *bootstrap.machine_findings(machine, has_environment=True),
        *package_findings(_required_distributions()),
        *port_findings(settings),
        *runtime_findings(settings),
    ]
    selection = None
    try:
        # Imported here: without its packages it cannot be, which is a finding and no traceback.
        from deploy.local import published

        selection = published.select(settings.model_repository, settings.variants)
        available_bytes = psutil.virtual_memory().available
        findings += memory_findings(selection.model_processes, available_bytes)
        needed_bytes = selection.model_processes * _MODEL_SHARED_MEMORY_BYTES
        if needed_bytes > bootstrap.SHARED_MEMORY_BYTES:  # less was asked for above
            findings += bootstrap.shared_memory_findings(machine, needed_bytes)
    except RepositoryError as error:
        findings.append(str(error))
    except ModuleNotFoundError as error:
        findings.append(f"Package {error.name} cannot be imported: run `make venv`.")
    if findings or selection is None:
        raise PreflightError(findings)
    return selection


def package_findings(distributions: Iterable[str]) -> list[str]:
    """Finds packages that are not installed."""
    missing = [name for name in distributions if not _is_installed(name)]
    if not missing:
        return []
    return [
        f"Missing from this environment: {', '.join(sorted(missing))}; run `make venv`, or "
        "`pip install -c constraints.txt -e '.[local]'`."
    ]


def port_findings(settings: Settings) -> list[str]:
    """Finds ports that are taken, by whom, and ports that were given twice."""
    findings = []
    seen: dict[int, str] = {}
    for setting in bootstrap.PORTS:
        field = setting.removeprefix(env_name("")).lower()
        port = getattr(settings, field)
        if port in seen:
            findings.append(f"{setting} and {seen[port]} are both {port}: change one.")
            continue
        seen[port] = setting
        host = settings.host if field.startswith("gateway") else "127.0.0.1"
        findings += bootstrap.port_findings(setting, port, host, _owner(port))
    return findings


def runtime_findings(settings: Settings) -> list[str]:
    """Finds a bundled Triton that cannot run under this Python."""
    try:
        triton_runtime.assemble(settings.triton_runtime_folder)
    except TritonRuntimeError as error:
        return [str(error)]
    return []


def memory_findings(model_processes: int, available_bytes: int) -> list[str]:
    """Finds too little memory for the models that were chosen."""
    needed_bytes = _BASE_MEMORY_BYTES + model_processes * _MODEL_MEMORY_BYTES
    if available_bytes >= needed_bytes:
        return []
    return [
        f"{available_bytes // bootstrap.MIB} MiB of memory are available and "
        f"{needed_bytes // bootstrap.MIB} MiB are needed for {model_processes} model processes: "
        f"close something, or serve fewer variants ({env_name('variants')})."
    ]


def _required_distributions() -> Iterator[str]:
    """Reads what pyproject.toml requires for serving on this machine."""
    for requirement in metadata.requires("diptych") or []:
        name, _, marker = requirement.partition(";")
        if any(f'extra == "{extra}"' in marker for extra in _EXTRAS):
            yield re.split(r"[^\w.-]", name, maxsplit=1)[0]


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _owner(port: int) -> str:
    """Names the process that listens on a port, as far as this user may know."""
    try:
        for each in psutil.net_connections("tcp"):
            is_listener = each.status == psutil.CONN_LISTEN
            if is_listener and each.laddr and each.laddr.port == port and each.pid:
                return f"process {each.pid} ({psutil.Process(each.pid).name()})"
    except psutil.Error:
        pass  # another user's, or gone meanwhile: that the port is taken is known without its name
    return "another process"
