"""What the chart makes of the learning loop: the gateway captures, a job reads that and trains."""

from __future__ import annotations

from typing import Any

import typer.main

from exporters.cli import app
from tests.deploy.helm.rendered import chart, environment, only, pod_spec

CAPTURE = "/var/lib/diptych/capture"


def job_spec(feature: str = "retraining") -> dict[str, Any]:
    """Returns the pod spec of the job."""
    job = only(chart(feature), "CronJob", "-retraining")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    spec: dict[str, Any] = job["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def mounts(spec: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Returns the claim at each path of the pod's container, and whether it is read only."""
    claims = {
        each["name"]: each["persistentVolumeClaim"]["claimName"]
        for each in spec["volumes"]
        if "persistentVolumeClaim" in each
    }
    (container,) = spec["containers"]
    return {
        each["mountPath"]: (claims[each["name"]], each.get("readOnly", False))
        for each in container["volumeMounts"]
        if each["name"] in claims
    }


def test_retraining_reads_what_is_captured_and_the_data_and_writes_models_and_workspace() -> None:
    assert mounts(job_spec()) == {
        "/srv/diptych/model_repository": ("diptych-models", False),
        "/srv/diptych/.diptych": ("diptych-workspace", False),
        "/srv/diptych/data": ("diptych-data", True),
        CAPTURE: ("diptych-capture", True),
    }


def test_gateway_captures_into_the_claim_that_retraining_reads() -> None:
    found = chart("retraining")

    assert mounts(pod_spec(found, "-gateway"))[CAPTURE] == ("diptych-capture", False)
    assert environment(found)["DIPTYCH_GATEWAY_CAPTURE_FOLDER"] == CAPTURE


def test_gateway_captures_nothing_unless_asked_to() -> None:
    assert "DIPTYCH_GATEWAY_CAPTURE_FOLDER" not in environment(chart())
    assert CAPTURE not in mounts(pod_spec(chart(), "-gateway"))


def test_retraining_is_told_of_capture_and_database_as_the_gateway_is() -> None:
    (container,) = job_spec()["containers"]
    gateway = pod_spec(chart("retraining"), "-gateway")["containers"][0]

    assert {each["name"] for each in container["env"]} == {
        "DIPTYCH_GATEWAY_CAPTURE_FOLDER",
        "DIPTYCH_GATEWAY_DATABASE_URL",
    }
    assert all(each in gateway["env"] for each in container["env"])


def test_retraining_has_arguments_that_its_command_takes() -> None:
    (container,) = job_spec()["containers"]
    retrain = typer.main.get_group(app).commands["retrain"]
    options = {option for each in retrain.params for option in each.opts}

    assert container["command"] == ["python", "-m", "exporters", "retrain"]
    recipe, *given = container["args"]
    assert recipe == "/etc/diptych/recipes/mine.toml"
    assert given == ["--since=14d", "--recent-share=0.3"]
    assert {each.partition("=")[0] for each in given} <= options


def test_retraining_has_shared_memory_for_the_triton_that_proves_its_candidate() -> None:
    volumes = {each["name"]: each for each in job_spec("retraining-demo")["volumes"]}

    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "512Mi"}
