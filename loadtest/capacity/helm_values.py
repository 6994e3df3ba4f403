"""The plan as values of the chart, `deploy/helm/diptych`."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any, Literal

import yaml

if TYPE_CHECKING:
    from loadtest.capacity.planning import Plan

Pool = Literal["cpuPool", "gpuPool"]
Autoscaler = Literal["hpa", "keda", "none"]


def helm_values(plan: Plan, pool: Pool, autoscaler: Autoscaler) -> dict[str, Any]:
    """Returns the values.

    Args:
        plan: what to run.
        pool: which pool of Tritons the profile's device is.
        autoscaler: what scales.
    """
    if autoscaler == "none":
        return {
            "gateway": {
                "replicas": plan.gateways,
                "settings": _settings(plan),
                "autoscaling": {"kind": "none"},
            },
            pool: {
                "enabled": True,
                "replicas": plan.replicas,
                "autoscaling": {"kind": "none"},
            },
        }
    best, scaling = plan.sustained, plan.scaling
    use = scaling.target_rps / best.rate_rps
    most_gateways = math.ceil(plan.gateways * scaling.most / max(1, plan.replicas))
    in_flight_a_gateway = best.in_flight * plan.wish.peak_rps / best.rate_rps / plan.gateways
    values: dict[str, Any] = {
        "gateway": {
            "replicas": plan.gateways,
            "settings": _settings(plan),
            "autoscaling": {
                "kind": autoscaler,
                "minReplicas": max(2, math.ceil(plan.gateways * plan.wish.night_ratio)),
                "maxReplicas": most_gateways,
                "targets": {"inFlightPerPod": max(1, math.ceil(in_flight_a_gateway))},
            },
        },
        pool: {
            "enabled": True,
            "replicas": plan.replicas,
            "autoscaling": {
                "kind": autoscaler,
                "minReplicas": scaling.fewest,
                "maxReplicas": scaling.most,
                "targets": {
                    "inFlightPerPod": max(1, math.ceil(best.in_flight * use)),
                    "demandRps": round(scaling.target_rps, 1),
                    # They would ask for more before the planned use is reached.
                    "queueTimeMs": None,
                    "pendingPerPod": None,
                },
            },
        },
    }
    return values


def _settings(plan: Plan) -> dict[str, Any]:
    return {"REQUEST_BUDGET_MS": math.ceil(plan.wish.p99_ms)}


def values_yaml(plan: Plan, pool: Pool, autoscaler: Autoscaler) -> str:
    """Returns the values as a file for `helm --values`, with what they rest on."""
    best = plan.sustained
    branch = best.profile.branches[0]
    head = (
        f"Written by `python -m loadtest plan`: {plan.wish.peak_rps:g} requests a second at a P99 "
        f"of {plan.wish.p99_ms:g} ms, simulated from the profile of {best.profile.variant} on "
        f"{best.profile.device}. A replica carries {best.rate_rps:.1f}/s with batches of "
        f"{branch.max_batch} and a delay of {branch.delay_ms:g} ms, which the recipe sets."
    )
    lines = textwrap.wrap(head, 90, initial_indent="# ", subsequent_indent="# ")
    text: str = yaml.safe_dump(helm_values(plan, pool, autoscaler), sort_keys=False)
    return "\n".join((*lines, text))
