"""`GET /v1/experiments`: what is in force and what came of it, for people and for the page.

Figures are those of this process since its start; Prometheus has those of all. Overrides are
counted and not listed: they may name people.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from gateway.routing.definitions import ExperimentDefinition, to_json
from gateway.routing.reason import Reason
from gateway.traffic.in_force import Origin
from gateway.traffic.stored import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalog import Catalog
    from gateway.routing.definitions import ShadowDefinition
    from gateway.routing.plan import Experiment
    from gateway.routing.router import Decision
    from gateway.telemetry.arm_figures import Distribution
    from gateway.telemetry.metrics import Metrics
    from gateway.telemetry.shadow_metrics import ShadowMetrics
    from gateway.telemetry.traffic_metrics import TrafficMetrics
    from gateway.traffic.live import LiveTraffic, SourceState
    from gateway.traffic.stored import RuleKey


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceAnswer(_Closed):
    """Whether a source is there, and what was wrong with it at the last look."""

    is_configured: bool
    fault: str | None


class SourcesAnswer(_Closed):
    """The two sources; the store wins, name by name."""

    file: SourceAnswer
    store: SourceAnswer


class DefaultAnswer(_Closed):
    """What answers requests in no experiment; null while nothing is served.

    `promoted`: the variant that an admin promoted, which answers while it is served.
    """

    variant: str | None
    reason: Reason | None
    promoted: str | None


class LatencyAnswer(_Closed):
    """Milliseconds from arrival to answer; null without answers. Quantiles are of buckets."""

    mean: float | None
    p50: float | None
    p99: float | None


class ArmAnswer(_Closed):
    """One arm. `share` is of the experiment's units; `gate` says why it gets none of them."""

    variant: str
    weight: float
    share: float
    is_control: bool
    digest: str | None
    gate: str | None
    outcomes: dict[str, int]
    latency_ms: LatencyAnswer


class ExperimentAnswer(_Closed):
    """One experiment."""

    name: str
    layer: str
    slots: tuple[int, int]
    state: Literal["running", "stopped", "scheduled", "ended"]
    origin: Origin
    etag: str
    start_at: datetime | None
    stop_at: datetime | None
    unit: str
    without_unit: str
    eligibility: list[dict[str, Any]]
    overrides: int
    arms: list[ArmAnswer]


class ShadowAnswer(_Closed):
    """One shadow. `outcomes` as the metric `diptych_gateway_shadow_calls_total` names them.

    `agreement`: share of the compared requests with the same best label; null without any.
    `distance`: mean total variation of the probabilities, and what 99 of 100 are at or below.
    """

    name: str
    candidate: str
    of: str | None
    share: float
    is_running: bool
    is_served: bool
    origin: Origin
    etag: str
    outcomes: dict[str, int]
    agreement: float | None
    distance: dict[Literal["mean", "p99"], float | None]
    answer_ms: LatencyAnswer
    candidate_ms: LatencyAnswer


class TrafficAnswer(_Closed):
    """Everything; experiments in the order in which they are asked."""

    sources: SourcesAnswer
    default: DefaultAnswer
    experiments: list[ExperimentAnswer]
    shadows: list[ShadowAnswer]


def traffic_answer(
    live: LiveTraffic,
    catalog: Catalog,
    gates: Mapping[tuple[str, str], str],
    default: Decision | None,
    metrics: Metrics,
    now_s: float,
) -> dict[str, Any]:
    """Returns a `TrafficAnswer`."""
    figures = _Figures(metrics.traffic)
    in_force = live.in_force
    return {
        "sources": {origin: _source(state) for origin, state in live.states.items()},
        "default": {
            "variant": default.variant.name if default else None,
            "reason": default.reason if default else None,
            "promoted": in_force.traffic.promoted,
        },
        "experiments": [
            {
                **_experiment(each, now_s),
                **_rule(live, (Kind.EXPERIMENT, each.name)),
                "arms": _arms(each.definition, catalog, gates, figures),
            }
            for each in in_force.traffic.plan.experiments
        ],
        "shadows": [
            {
                **_rule(live, (Kind.SHADOW, each.name)),
                **_shadow(each, metrics.shadows),
                "is_served": each.candidate in catalog.variants,
            }
            for each in in_force.traffic.plan.shadows
        ],
    }


class _Figures:
    def __init__(self, metrics: TrafficMetrics) -> None:
        self.answers = metrics.arm_answers()
        self.seconds = metrics.arm_seconds()


def _source(state: SourceState) -> dict[str, Any]:
    return {"is_configured": state.is_configured, "fault": state.fault}


def _rule(live: LiveTraffic, key: RuleKey) -> dict[str, Any]:
    rule = live.in_force.rules[key]
    return {"origin": rule.origin, "etag": rule.etag}


def _experiment(experiment: Experiment, now_s: float) -> dict[str, Any]:
    definition = experiment.definition
    written = to_json(definition)
    return {
        "name": definition.name,
        "layer": definition.layer,
        "slots": list(definition.slots),
        "state": _state(experiment, now_s),
        "start_at": written.get("start_at"),
        "stop_at": written.get("stop_at"),
        "unit": definition.unit,
        "without_unit": definition.without_unit,
        "eligibility": written.get("eligibility", []),
        "overrides": len(definition.overrides.units) + len(definition.overrides.keys),
    }


def _state(experiment: Experiment, now_s: float) -> str:
    if not experiment.definition.is_running:
        return "stopped"
    if now_s < experiment.start_s:
        return "scheduled"
    return "running" if now_s < experiment.stop_s else "ended"


def _arms(
    definition: ExperimentDefinition,
    catalog: Catalog,
    gates: Mapping[tuple[str, str], str],
    figures: _Figures,
) -> list[dict[str, Any]]:
    return [
        {
            "variant": name,
            "weight": arm.weight,
            "share": round(definition.share_of(name), 6),
            "is_control": name == definition.control,
            "digest": catalog.variants[name].digest if name in catalog.variants else None,
            "gate": gates.get((definition.name, name)),
            "outcomes": figures.answers.get((definition.name, name), {}),
            "latency_ms": latency(figures.seconds.get((definition.name, name))),
        }
        for name, arm in definition.arms.items()
    ]


def _shadow(shadow: ShadowDefinition, metrics: ShadowMetrics) -> dict[str, Any]:
    outcomes = metrics.outcomes(shadow.name)
    agreed, differed = outcomes.get("agreed", 0), outcomes.get("differed", 0)
    distance = metrics.distance(shadow.name)
    return {
        "name": shadow.name,
        "candidate": shadow.candidate,
        "of": shadow.of,
        "share": shadow.share,
        "is_running": shadow.is_running,
        "outcomes": outcomes,
        "agreement": round(agreed / (agreed + differed), 4) if agreed + differed else None,
        "distance": {
            "mean": None if distance is None else distance.mean,
            "p99": None if distance is None else distance.quantile(0.99),
        },
        "answer_ms": latency(metrics.seconds(shadow.name, "answer")),
        "candidate_ms": latency(metrics.seconds(shadow.name, "candidate")),
    }


def latency(seconds: Distribution | None) -> dict[str, float | None]:
    """Returns a `LatencyAnswer`."""
    if seconds is None:
        return {"mean": None, "p50": None, "p99": None}
    figures = {"mean": seconds.mean, "p50": seconds.quantile(0.5), "p99": seconds.quantile(0.99)}
    return {
        name: None if value is None else round(1000 * value, 2) for name, value in figures.items()
    }
