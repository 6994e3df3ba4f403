"""Where the chart is, and which Helms and Kubernetes versions it is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CHART: Final = Path(__file__).with_name("diptych")
"""Folder of the chart."""

HELMS: Final = ("helm-3", "helm-4")
"""Tools of `deploy.tools`: the two major versions that people have."""

KUBERNETES: Final = ("1.32", "1.35", "1.37")
"""Oldest that the chart supports, one between, and the newest that there are schemas for."""

API_GROUPS: Final = (
    "keda.sh/v1alpha1",
    "monitoring.coreos.com/v1",
    "gateway.networking.k8s.io/v1",
)
"""What a cluster with all operators offers beside Kubernetes itself."""


def value_files() -> dict[str, Path]:
    """Returns the value files of `ci/` by their feature, sorted."""
    suffix = "-values.yaml"
    return {
        path.name.removesuffix(suffix): path for path in sorted((CHART / "ci").glob(f"*{suffix}"))
    }
