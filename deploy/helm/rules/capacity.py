"""Memory, GPUs and scratch space: what pods ask for can be had, and is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.helm.objects import Chart, title
from deploy.helm.quantities import amount

if TYPE_CHECKING:
    from collections.abc import Iterator


def gpus_are_whole(chart: Chart) -> Iterator[tuple[str, str]]:
    """GPUs are asked for as limits, in whole numbers, of one kind; requests say nothing else."""
    for pods in chart.pods:
        for container in pods.containers:
            resources = container["resources"]
            limits = {k: v for k, v in resources.get("limits", {}).items() if "nvidia.com/" in k}
            if len(limits) > 1:
                yield title(pods.owner), f"it asks for {', '.join(limits)} at the same time"
            for name, count in limits.items():
                if not isinstance(count, int) or count < 1:
                    yield title(pods.owner), f"{name} is {count}, and GPUs are whole"
            for name, count in resources.get("requests", {}).items():
                if "nvidia.com/" in name and count != limits.get(name):
                    yield title(pods.owner), f"it requests {count} {name}, unlike its limit"


def gpu_pool_asks_for_gpus(chart: Chart) -> Iterator[tuple[str, str]]:
    """Tritons of the GPU pool get a GPU, and those of the CPU pool none."""
    for pods in chart.pods:
        pool = pods.labels.get("diptych/pool")
        has_gpu = any("nvidia.com/" in k for c in pods.containers for k in _limits(c))
        if pool and has_gpu != (pool == "gpu"):
            yield (
                title(pods.owner),
                f"it is in the {pool} pool and has {'a' if has_gpu else 'no'} GPU",
            )


def memory_is_bounded(chart: Chart) -> Iterator[tuple[str, str]]:
    """Each container has a memory limit and requests no more than that."""
    for pods in chart.pods:
        for container in pods.containers:
            limit = _limits(container).get("memory")
            requests = container["resources"].get("requests", {})
            if limit is None:
                yield title(pods.owner), f"{container['name']} has no memory limit"
                continue
            for name in ("memory", "cpu"):
                if name not in requests:
                    yield title(pods.owner), f"{container['name']} requests no {name}"
            if amount(requests.get("memory", 0)) > amount(limit):
                yield title(pods.owner), f"{container['name']} requests more memory than its limit"


def scratch_is_bounded(chart: Chart) -> Iterator[tuple[str, str]]:
    """An emptyDir has a size, and one in memory leaves its container half of the limit."""
    for pods in chart.pods:
        volumes = {each["name"]: each for each in pods.spec.get("volumes", ())}
        for name, volume in volumes.items():
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield title(pods.owner), f"volume {name} has no size"
        for container in pods.containers:
            for mount in container.get("volumeMounts", ()):
                folder: dict[str, Any] = volumes.get(mount["name"], {}).get("emptyDir") or {}
                # Memory counts for whoever writes it.
                if (
                    mount.get("readOnly")
                    or folder.get("medium") != "Memory"
                    or "memory" not in _limits(container)
                ):
                    continue
                if 2 * amount(folder["sizeLimit"]) > amount(_limits(container)["memory"]):
                    what = (
                        f"{mount['name']} may take more than half of {container['name']}'s memory"
                    )
                    yield title(pods.owner), what


def triton_has_shared_memory(chart: Chart) -> Iterator[tuple[str, str]]:
    """Triton's /dev/shm is a volume in memory: the runtime's own is 64 MiB for all."""
    for pods in chart.pods:
        for container in pods.spec["containers"]:
            if container["name"] != "triton":
                continue
            mounts = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
            volumes = {each["name"]: each for each in pods.spec["volumes"]}
            volume = volumes.get(mounts.get("/dev/shm", ""), {})  # noqa: S108  # not a temporary file
            if (volume.get("emptyDir") or {}).get("medium") != "Memory":
                yield title(pods.owner), "its /dev/shm is no volume in memory"


def _limits(container: dict[str, Any]) -> dict[str, Any]:
    limits: dict[str, Any] = container["resources"].get("limits", {})
    return limits


RULES: Final = (
    gpus_are_whole,
    gpu_pool_asks_for_gpus,
    memory_is_bounded,
    scratch_is_bounded,
    triton_has_shared_memory,
)
