"""Values: closed, described, and refused where they contradict each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploy.helm.bundle import stale_copies
from deploy.helm.chart import CHART
from deploy.helm.documents import readme_text, schema_text
from deploy.helm.rendering import Helm, RenderError
from deploy.helm.values import ValuesError, read_values
from tests.deploy.helm.rendered import chart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_schema_is_made_from_the_values() -> None:
    schema = (CHART / "values.schema.json").read_text(encoding="utf-8")

    assert schema == schema_text(), "run python -m deploy.helm document"


def test_readme_is_made_from_the_values() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")

    assert readme == readme_text(readme), "run python -m deploy.helm document"


def test_readme_names_every_value() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")

    missing = [
        leaf.key
        for leaf in read_values(CHART / "values.yaml").leaves()
        if f"| `{leaf.key}` |" not in readme
    ]
    assert missing == []


def test_rules_and_dashboards_are_copies_of_the_originals() -> None:
    assert stale_copies() == [], "run python -m deploy.helm document"


def test_schema_describes_every_value_and_is_closed() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    assert [path for path, part in parts(schema) if not part.get("properties") and bare(part)] == []
    is_open = [
        path
        for path, part in parts(schema)
        if "properties" in part and part["additionalProperties"] is not False
    ]
    assert is_open == []


@pytest.mark.parametrize("tool", ["helm-3", "helm-4"])
@pytest.mark.parametrize(
    "value",
    [
        "gateway.replica=3",
        "gatewayy={}",
        "gpuPool.gpu.count=0.5",
        'gpuPool.gpu.resourceName="nvidia.com/mig-7"',
        'gateway.settings={"HTTP_PORT": 1}',
        'gateway.settings={"REQUEST_BUDGT_MS": 400}',
        'gateway.settings={"REQUEST_BUDGET_MS": 0}',
        'gateway.settings={"REQUEST_BUDGET_MS": "400 ms"}',
        'cpuPool.resources={"limits": {"memory": "8 GB"}}',
        'gateway.resources={"limit": {"memory": "8Gi"}}',
        'gateway.tolerations=[{"kye": "x"}]',
        'gateway.extraEnv=[{"name": "A", "valeu": "1"}]',
        'gateway.tmpSizeLimit="lots"',
        'ingress.host="https://classify.example.com"',
        'ingress.host=""',
        'fullnameOverride="Bad_Name"',
        'images.gateway.repository="Up/Case"',
        'retraining.schedule="never"',
        'prometheus.url="prometheus:9090"',
        'gateway.podDisruptionBudget.maxUnavailable="0%"',
        'models.oci.image="models:latest"',
        'networkPolicy.enabled="yes"',
    ],
)
def test_values_that_mean_nothing_are_refused_by_both_helms(tool: str, value: str) -> None:
    with pytest.raises(RenderError, match="schema"):
        Helm(tool).template(sets=[value])


@pytest.mark.parametrize(
    ("feature", "value", "reason"),
    [
        ("default", "cpuPool.enabled=false", "nothing could answer"),
        ("default", 'models.source="s3"', "cpuPool.models.digest is empty"),
        ("default", 'models.source="oci"', "models.oci.image is empty"),
        ("s3", "retraining.enabled=true", "publishes into the claim"),
        ("retraining", 'gateway.capture.existingClaim=""', "nothing to train on"),
        ("retraining", 'gateway.database.existingSecret=""', "labels come from"),
        ("ingress", 'gatewayApi={"enabled":true,"parentRefs":[{"name":"x"}]}', "one of them"),
        ("ingress", 'ingress.grpc.tlsSecret=""', "TLS only"),
        ("gateway-api", "gatewayApi.parentRefs=[]", "name the Gateway"),
        ("pools", "gpuPool.rollout.maxUnavailable=0", "no roll-out could go on"),
    ],
)
def test_contradictions_are_refused_with_what_to_do(feature: str, value: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        chart(feature, value)


def test_value_without_a_comment_is_refused(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("# Known.\na: 1\nb: 2\n", encoding="utf-8")

    with pytest.raises(ValuesError, match="b: it has no comment"):
        read_values(values)


def test_descriptions_of_another_part_are_taken_where_there_are_none(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        'a:\n  # Words.\n  # @schema {"minimum": 1}\n  x: 1\n# @like a\nb:\n  x: 2\n',
        encoding="utf-8",
    )

    _, borrowed = read_values(values).leaves()

    assert (borrowed.key, borrowed.default) == ("b.x", 2)
    assert (borrowed.description, borrowed.schema) == ("Words.", {"minimum": 1})


def parts(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        if path or name != "global":
            yield f"{path}{name}", part
            if part.get("additionalProperties") is False:
                yield from parts(part, f"{path}{name}.")


def bare(part: dict[str, Any]) -> bool:
    return not part.get("description")
