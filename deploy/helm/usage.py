"""Whether each value of the chart does something: changed, it must change what is rendered."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.helm.chart import CHART, value_files
from deploy.helm.documents import schema_of
from deploy.helm.finding import Finding
from deploy.helm.rendering import Helm, RenderError
from deploy.helm.values import Value, read_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_THREADS: Final = 2
# What a value is changed to where its schema leaves no guess; by the end of its key.
_SAMPLES: Final[dict[str, Any]] = {
    "commonLabels": {"team": "x"},
    "settings": {"LOG_LEVEL": "ERROR"},
    "extraEnv": [{"name": "SAMPLE", "value": "x"}],
    "resources": {"requests": {"cpu": "3"}, "limits": {"memory": "9Gi"}},
    "nodeSelector": {"sample": "x"},
    "tolerations": [{"key": "sample", "operator": "Exists"}],
    "spreadOver": ["sample"],
    "pullSecrets": [{"name": "sample"}],
    "extraArgs": ["--sample"],
    "parentRefs": [{"name": "sample"}],
    "digest": "sha256:" + "0" * 64,
    "models.digest": "0" * 64,
    "resourceName": "nvidia.com/mig-2g.20gb",
    "oci.image": "sample@sha256:" + "0" * 64,
    "volumeSize": "1Gi",
    "tmpSizeLimit": "1Gi",
    "s3.endpoint": "https://sample.example.com",
    "interval": "7s",
    "gatewayFrom": [{"podSelector": {"matchLabels": {"sample": "x"}}}],
    "prometheusFrom": [{"podSelector": {"matchLabels": {"sample": "x"}}}],
    "gatewayEgress": [{"ports": [{"port": 4711}]}],
    "podDisruptionBudget.maxUnavailable": 3,
}


@dataclass(frozen=True)
class _Case:
    files: tuple[Path, ...]
    rendered: str


def unused_values() -> Iterator[Finding]:
    """Yields the values that change nothing in any of the renderings of `ci/`.

    Notes count as rendered: some values are for them alone.
    """
    helm = Helm("helm-4")
    cases = [_Case((path,), helm.template([path])) for path in value_files().values()]
    leaves = [leaf for leaf in read_values(CHART / "values.yaml").leaves() if leaf.key]
    with ThreadPoolExecutor(_THREADS) as threads:
        for leaf, is_used in zip(
            leaves, threads.map(lambda leaf: _is_used(helm, leaf, cases), leaves), strict=True
        ):
            if not is_used:
                yield Finding("values-are-used", leaf.key, "changing it changes nothing")


def _is_used(helm: Helm, leaf: Value, cases: list[_Case]) -> bool:
    # Features' own files are the likely ones: those that name the value come first.
    name = leaf.key.partition(".")[0]
    ordered = sorted(cases, key=lambda case: not _names(case.files[0], leaf, name))
    return any(
        _changes(helm, leaf, changed, case) for case in ordered for changed in _other_values(leaf)
    )


def _names(path: Path, leaf: Value, part: str) -> int:
    text = path.read_text(encoding="utf-8")
    return (f"{part}:" in text) + (f"{leaf.name}:" in text)


def _changes(helm: Helm, leaf: Value, changed: str, case: _Case) -> bool:
    try:
        return helm.template(case.files, sets=[f"{leaf.key}={changed}"]) != case.rendered
    except RenderError:
        return False  # the change contradicts what that file sets


def _other_values(leaf: Value) -> Iterator[str]:
    samples = [key for key in _SAMPLES if f".{leaf.key}".endswith(f".{key}")]
    if samples:
        yield json.dumps(_SAMPLES[max(samples, key=len)])
        return
    schema = schema_of(leaf)
    kinds = schema.get("type", "string")
    if "enum" in schema:
        yield from (json.dumps(each) for each in schema["enum"] if each != leaf.default)
    elif "boolean" in kinds or isinstance(leaf.default, bool):
        yield from ("true", "false")
    elif "integer" in kinds or "number" in kinds:
        yield json.dumps((leaf.default or 0) + 17)
        yield json.dumps(max(1, (leaf.default or 0) - 1))
    elif kinds == "object":
        yield json.dumps({"sample": "x"})
    elif kinds == "array":
        yield json.dumps(["sample"])
    else:
        yield json.dumps(f"{leaf.default}x")
