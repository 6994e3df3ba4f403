from __future__ import annotations

import pytest

from deploy.helm.objects import is_selected


@pytest.mark.parametrize(
    ("operator", "labels", "expected"),
    [
        ("In", {"pool": "cpu"}, True),
        ("In", {"pool": "tpu"}, False),
        ("In", {}, False),
        ("NotIn", {"pool": "tpu"}, True),
        ("NotIn", {"pool": "cpu"}, False),
        ("NotIn", {}, True),  # Kubernetes: a pod without the label is selected too
        ("Exists", {"pool": "tpu"}, True),
        ("Exists", {}, False),
        ("DoesNotExist", {}, True),
        ("DoesNotExist", {"pool": "cpu"}, False),
    ],
)
def test_selector_operator_means_what_kubernetes_says(
    operator: str, labels: dict[str, str], expected: bool
) -> None:
    needs_values = operator in {"In", "NotIn"}
    requirement = {"key": "pool", "operator": operator}
    values = {"values": ["cpu", "gpu"]} if needs_values else {}

    assert is_selected(labels, {"matchExpressions": [{**requirement, **values}]}) is expected
