"""Cores, GPUs and shared memory: do models get what they count on?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tritonclient.grpc import model_config_pb2

from exporters.doctor.finding import Fault, Rule, Severity, Site
from exporters.doctor.machine import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporters.doctor.model_repository import ModelRepository, RepositoryModel

_AUTO: Final = model_config_pb2.ModelInstanceGroup.KIND_AUTO
_CPU: Final = model_config_pb2.ModelInstanceGroup.KIND_CPU

# What the onnxruntime backend takes when no instance group says otherwise.
_ONNX_CPU_INSTANCES: Final = 2
# One process of the python backend holds 16 MiB after warm-up; it grows with large images.
_SHARED_BYTES_A_PROCESS: Final = 64 * MIB


def oversubscribed_threads(site: Site) -> Iterator[Fault]:
    """CPU models whose instances have more threads than there are cores."""
    for step in site.repository.steps:
        instances, threads = step.instances, _threads(step, site)
        if step.is_onnx and not step.config.instance_group:
            instances = _ONNX_CPU_INSTANCES
        if threads is not None and instances * threads > site.machine.cores:
            yield Fault(
                step.name,
                f"{instances} instances of {threads} threads compete for {site.machine.cores} "
                "cores: each of them waits for the others.",
                "Set fewer instances or threads, so that their product is the number of cores "
                "(`--cores` says how many production has).",
            )


def silent_fallbacks(site: Site) -> Iterator[Fault]:
    """Models that may run on a CPU without anybody being told."""
    for step in site.repository.steps:
        if step.is_python:
            continue  # the kind of a python model is a hint that its code may follow
        kinds = _kinds(step)
        devices = _expected_devices(step, site.repository)
        lists_gpus = any(group.gpus for group in step.config.instance_group if group.kind == _AUTO)
        if _AUTO in kinds and not devices:
            reason = "It is KIND_AUTO, and no ensemble over it declares the device it expects"
        elif _AUTO in kinds and lists_gpus:
            reason = "It is KIND_AUTO with a list of GPUs, any of which may be missing"
        else:
            continue
        yield Fault(
            step.name,
            f"{reason}: where a GPU is missing Triton falls back to the CPU without an error.",
            "Export it with the target that is meant (its manifest names the expected device), or "
            "set KIND_GPU, which fails instead.",
        )
    for ensemble in site.repository.ensembles:
        if ensemble.manifest is None or ensemble.manifest.expected_device != "gpu":
            continue
        called = (site.repository.models.get(name) for name in ensemble.step_names)
        kinds = {kind for step in called if step and not step.is_python for kind in _kinds(step)}
        if kinds <= {_CPU}:
            yield Fault(
                ensemble.name,
                "Its manifest promises a GPU, and none of its steps may use one.",
                "Export it with the target that is meant.",
            )


def small_shared_memory(site: Site) -> Iterator[Fault]:
    """Python models whose tensors do not fit into /dev/shm."""
    processes = {step.name: step.instances for step in site.repository.steps if step.is_python}
    needed_bytes = sum(processes.values()) * _SHARED_BYTES_A_PROCESS
    if needed_bytes > site.machine.shared_memory_bytes:
        largest = max(processes, key=processes.__getitem__)
        yield Fault(
            largest,
            f"With it {sum(processes.values())} processes of the python backend need "
            f"{needed_bytes // MIB} MiB of /dev/shm, and there are "
            f"{site.machine.shared_memory_bytes // MIB}: large images fail.",
            "Enlarge /dev/shm (`--shm-size`, a memory emptyDir), or load fewer models "
            "(`--shared-memory-mib` says how much production has).",
        )


def _kinds(step: RepositoryModel) -> set[int]:
    return {group.kind for group in step.config.instance_group} or {_AUTO}


def _expected_devices(step: RepositoryModel, repository: ModelRepository) -> set[str]:
    return {each.manifest.expected_device for each in repository.callers(step) if each.manifest}


def _threads(step: RepositoryModel, site: Site) -> int | None:
    """Threads of one instance; None when they are not known or the step is to run on a GPU."""
    if step.is_python:
        threads = step.settings.get("intra_op_threads")
        return threads if isinstance(threads, int) else None
    is_for_gpu = "gpu" in _expected_devices(step, site.repository) or not (
        _kinds(step) & {_AUTO, _CPU}
    )
    if not step.is_onnx or is_for_gpu:
        return None
    given = step.parameter("intra_op_thread_count")
    return int(given) if given.isdecimal() and int(given) else site.machine.cores


RULES: Final = (
    Rule(
        "threads-oversubscribed",
        Severity.WARNING,
        "a CPU model whose instances times threads are more than the cores",
        oversubscribed_threads,
    ),
    Rule(
        "cpu-fallback-silent",
        Severity.WARNING,
        "a model that falls back to the CPU while nothing says which device is expected",
        silent_fallbacks,
    ),
    Rule(
        "shared-memory-small",
        Severity.WARNING,
        "a `/dev/shm` too small for the processes of the python backend",
        small_shared_memory,
    ),
)
