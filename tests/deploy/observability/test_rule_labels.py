"""Labels by which rules, their tests and dashboards select: the gateway gives such values.

An alert that waits for a value that nobody writes keeps silent for ever, and a test that feeds it
that value says that it works.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import promql_parser
import pytest
from prometheus_client import CollectorRegistry

from deploy.observability.boards import BOARDS
from gateway.admission.arrival import Priority, Reason
from gateway.api.gate import BATCH_PATH, CLASSIFY_PATH
from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.api.request_span import QUIET_ROUTES, UNMATCHED
from gateway.catalog import Refusal
from gateway.contract.drift.window import DriftKind
from gateway.contract.manifest import ModalitySet
from gateway.deciding.guardrails import Guardrail
from gateway.placement import Degraded, PoolName
from gateway.routing.gates import Gate
from gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

OBSERVABILITY = Path(__file__).parents[3] / "deploy" / "observability"
RPCS = {
    f"{service.full_name}/{method.name}"
    for service in classify_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
# What users, exporters and clusters name, and the bounds of buckets.
FREE: Final = {"namespace", "instance", "variant", "digest", "experiment", "arm", "le", "task"}
# By metric and label, or label alone. What is not here stands in the metric's own description.
KNOWN: Final[dict[str, set[str]]] = {
    "pool": set(PoolName),
    "modalities": set(ModalitySet),
    "priority": set(Priority),
    "route": {CLASSIFY_PATH, BATCH_PATH, UNMATCHED, *QUIET_ROUTES, *RPCS},
    "diptych_gateway_requests_total.code": {
        *(str(each.value) for each in HTTPStatus),
        *(each.name for each in grpc.StatusCode),
    },
    "diptych_drift_is_drifting.kind": set(DriftKind),
    "diptych_experiment_rolled_back_total.reason": {each.reason for each in Guardrail},
    "diptych_gateway_experiment_gated_arm_info.reason": {*Gate, *Refusal},
    "diptych_gateway_pool_answers_total.degraded": {"none", *Degraded},
    "diptych_gateway_refusals_total.code": set(Reason),
    "diptych_gateway_refused_ensembles.reason": set(Refusal),
}


def selectors() -> Iterator[tuple[str, promql_parser.VectorSelector]]:
    """All selectors of the gateway's metrics, each once, with the file that it stands in."""
    texts = {
        path.name: path.read_text("utf-8") for path in (OBSERVABILITY / "rules").rglob("*.yaml")
    }
    for board in BOARDS:
        texts[board.name] = "\n".join(q.expr for panel in board.panels for q in panel.queries)
    for name, text in sorted(texts.items()):
        # Values of ours have no braces, so the first one ends the labels.
        for found in dict.fromkeys(re.findall(r"\bdiptych_\w+\{[^}]+\}", text)):
            selector = promql_parser.parse(found)
            assert isinstance(selector, promql_parser.VectorSelector)
            yield name, selector


def documented() -> dict[str, set[str]]:
    """Values that a metric's description names, by the name that it is asked by."""
    found: dict[str, set[str]] = {}
    for family in Metrics(CollectorRegistry()).registry.collect():
        values = set(re.findall(r"`(\w+)`", family.documentation))
        for ending in ("", "_total", "_bucket", "_count"):
            found[family.name + ending] = values
    return found


def wanted(operator: promql_parser.MatchOp, value: str) -> list[str]:
    """What a matcher looks for: patterns of which each must mean some value."""
    is_pattern = operator in (promql_parser.MatchOp.Re, promql_parser.MatchOp.NotRe)
    return value.split("|") if is_pattern else [re.escape(value)]


MATCHERS = [
    pytest.param(
        selector.name, matcher, id=f"{file}: {selector.name}, {matcher.name}={matcher.value}"
    )
    for file, selector in selectors()
    for matcher in selector.matchers.matchers
    if matcher.name not in FREE
]


@pytest.mark.parametrize(("metric", "matcher"), MATCHERS)
def test_label_value_is_one_that_the_gateway_gives(
    metric: str, matcher: promql_parser.Matcher
) -> None:
    known = KNOWN.get(f"{metric}.{matcher.name}") or KNOWN.get(matcher.name) or documented()[metric]

    unknown = [
        pattern
        for pattern in wanted(matcher.op, matcher.value)
        if not any(re.fullmatch(pattern, value) for value in known)
    ]
    assert unknown == [], f"{metric} has {matcher.name} of {sorted(known)}"
