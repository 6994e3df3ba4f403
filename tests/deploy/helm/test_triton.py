"""What the chart makes of the pools of Tritons."""

from __future__ import annotations

import pytest

from deploy.helm.rendering import RenderError
from tests.deploy.helm.rendered import chart, only, pod_spec

SHARED_MEMORY_MIB = 64
"""What each process of the python backend gets of it; `exporters doctor` asks for as much."""


def test_gpu_pool_asks_for_what_the_values_name() -> None:
    assert gpu_limits("gpu-only") == {"nvidia.com/gpu": 2}
    assert gpu_limits("mig") == {"nvidia.com/mig-1g.10gb": 1}
    assert gpu_limits("time-slicing") == {"nvidia.com/gpu.shared": 1}


def test_gpu_pool_runs_on_nodes_with_gpus_and_the_cpu_pool_anywhere() -> None:
    pools = chart("pools")

    gpu, cpu = pod_spec(pools, "-triton-gpu"), pod_spec(pools, "-triton-cpu")
    assert gpu["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert gpu["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert gpu["runtimeClassName"] == "nvidia"
    assert not {"nodeSelector", "tolerations", "runtimeClassName"} & set(cpu)


@pytest.mark.parametrize("processes", [0, 1, 6])
def test_shared_memory_is_sized_from_the_models_processes(processes: int) -> None:
    spec = pod_spec(chart("default", f"cpuPool.models.pythonProcesses={processes}"), "-cpu")

    volumes = {each["name"]: each for each in spec["volumes"]}
    expected = {"medium": "Memory", "sizeLimit": f"{max(1, processes) * SHARED_MEMORY_MIB}Mi"}
    assert volumes["shared-memory"]["emptyDir"] == expected


def test_triton_is_given_the_time_that_its_models_take_to_load() -> None:
    (container,) = pod_spec(chart("default", "cpuPool.models.loadTimeoutSeconds=1201"), "-cpu")[
        "containers"
    ]

    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 1205


def test_triton_gets_no_new_requests_while_it_ends() -> None:
    (container,) = pod_spec(chart(), "-triton-cpu")["containers"]

    assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 40}}
    assert "--exit-timeout-secs=30" in container["args"]


def test_models_of_a_claim_are_read_only_and_not_copied() -> None:
    spec = pod_spec(chart(), "-triton-cpu")

    assert "initContainers" not in spec
    assert spec["volumes"][0]["persistentVolumeClaim"]["readOnly"] is True
    assert spec["containers"][0]["volumeMounts"][0] == {
        "name": "models",
        "mountPath": "/models",
        "readOnly": True,
        "subPath": "cpu",
    }


def test_models_of_a_claim_are_checked_where_a_digest_is_given() -> None:
    (check,) = pod_spec(chart("pools"), "-triton-cpu")["initContainers"]

    assert check["command"] == ["sh", "/scripts/check.sh"]
    assert check["args"][0] == "/models"


def test_models_of_a_bucket_are_fetched_and_then_checked() -> None:
    fetch, check = pod_spec(chart("s3"), "-triton-cpu")["initContainers"]

    assert fetch["args"] == ["store:models/openmoji/cpu", "/models"]
    assert fetch["envFrom"] == [{"secretRef": {"name": "minio-reader"}}]
    assert check["name"] == "check-models"


def test_models_of_an_image_are_copied_from_the_pools_folder() -> None:
    (copy,) = pod_spec(chart("oci"), "-triton-gpu")["initContainers"]

    assert copy["image"].startswith("example/diptych-models@sha256:")
    assert copy["args"][-1] == "gpu"


def test_model_control_cannot_be_opened_by_an_argument() -> None:
    with pytest.raises(RenderError, match="extraArgs"):
        chart("default", 'cpuPool.extraArgs=["--model-control-mode=explicit"]')


def test_roll_out_of_scarce_gpus_ends_one_first() -> None:
    strategy = only(chart("pools"), "Deployment", "-triton-gpu")["spec"]["strategy"]

    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def gpu_limits(feature: str) -> dict[str, int]:
    (container,) = pod_spec(chart(feature), "-triton-gpu")["containers"]
    return {name: n for name, n in container["resources"]["limits"].items() if "nvidia" in name}
