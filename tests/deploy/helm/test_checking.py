"""The parts of `make deploy-check` notice what they are there for."""

from __future__ import annotations

import copy
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from deploy.helm.chart import KUBERNETES, value_files
from deploy.helm.finding import Finding
from deploy.helm.rendering import Helm, documents
from deploy.helm.scanning import Acceptance, judge_scans, read_accepted
from deploy.helm.schemas import schema_faults
from tests.deploy.helm.rendered import chart, only

if TYPE_CHECKING:
    from pathlib import Path


def faults(feature: str, kind: str, name: str, change: dict[str, Any]) -> list[str]:
    document = copy.deepcopy(only(chart(feature), kind, name))
    document["spec"].update(change)
    return [what for _, what in schema_faults(document, "1.35")]


@pytest.mark.parametrize(
    ("feature", "kind", "name"),
    [
        ("default", "Deployment", "-gateway"),
        ("hpa", "HorizontalPodAutoscaler", "-gateway"),
        ("keda", "ScaledObject", "-gateway"),
        ("monitoring", "ServiceMonitor", "-gateway"),
        ("gateway-api", "GRPCRoute", "-gateway"),
    ],
)
def test_field_that_is_misspelt_is_found_in_every_kind(feature: str, kind: str, name: str) -> None:
    assert faults(feature, kind, name, {}) == []
    assert "minReplica" in faults(feature, kind, name, {"minReplica": 1})[0]


def test_kind_without_a_schema_is_a_fault_and_not_a_pass() -> None:
    document = {
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "x"},
    }
    other = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}

    for version in KUBERNETES:
        assert list(schema_faults(document, version))
    assert list(schema_faults(other, "1.35"))


def test_both_helms_render_the_same_objects() -> None:
    ours = {repr(each) for each in chart("pools").documents}

    theirs = documents(Helm("helm-3").template([values("pools")]))

    assert {repr(each) for each in theirs} == ours


def test_chart_can_be_packed_and_holds_what_templates_read(tmp_path: Path) -> None:
    archive = Helm("helm-4").package(tmp_path)

    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert "diptych/files/ask.py" in names
    assert "diptych/files/scripts/check.sh" in names
    assert not [name for name in names if "/ci/" in name]


def test_finding_that_is_accepted_for_one_kind_stands_for_another() -> None:
    accepted = [Acceptance(("X1",), "meant", ("Job",))]
    job, pod = Finding("X1", "Job a", "what"), Finding("X1", "Pod b", "what")

    assert list(judge_scans([job, pod], accepted)) == [pod]


def test_acceptance_that_nothing_needs_any_more_is_a_finding() -> None:
    (finding,) = judge_scans([], [Acceptance(("X1",), "meant")])

    assert "found nowhere" in finding.what


def test_acceptance_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text('[[accepted]]\nids = ["X1"]\nwhy = " "\n')

    with pytest.raises(ValueError, match="X1 is accepted without a reason"):
        read_accepted(path)


@pytest.mark.parametrize(
    ("feature", "command"),
    [
        ("default", "create secret generic diptych-api-keys --from-file=keys.toml"),
        ("default", "port-forward service/demo-diptych-gateway 8080"),
        ("default", "helm test demo --namespace serving --logs"),
        ("hpa", "get configmap demo-diptych-adapter-rules"),
        ("keda", "get scaledobject"),
        ("gpu-only", "nobody answers, as there is no CPU pool"),
        ("ingress", "https://classify.example.com/v1/classify"),
        ("gateway-api", "https://classify.example.com/v1/classify"),
    ],
)
def test_notes_say_the_next_command(feature: str, command: str) -> None:
    assert command in Helm("helm-4").notes([values(feature)])


def values(feature: str) -> Path:
    return value_files()[feature]
