"""The plan as values of the chart, `deploy/helm/diptych`."""

from __future__ import annotations

import math
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
    best, scaling = plan.sustained, plan.scaling
    use = scaling.target_rps / best.rate_rps
    most_gateways = math.ceil(plan.gateways * scaling.most / max(1, plan.replicas))
    in_flight_a_gateway = best.in_flight * plan.wish.peak_rps / best.rate_rps / plan.gateways
    values: dict[str, Any] = {
        "gateway": {
            "replicas": plan.gateways,
            "settings": {"REQUEST_BUDGET_MS": math.ceil(plan.wish.p99_ms)},
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


def values_yaml(plan: Plan, pool: Pool, autoscaler: Autoscaler) -> str:
    """Returns the values as a file for `helm --values`, with what they rest on."""
    best = plan.sustained
    branch = best.profile.branches[0]
    head = (
        f"# {plan.wish.peak_rps:g} requests a second at a P99 of {plan.wish.p99_ms:g} ms, by "
        f"simulation from the profile of\n# {best.profile.variant} on {best.profile.device}: "
        f"{best.rate_rps:.1f}/s a replica with batches of {branch.max_batch} and a delay of\n"
        f"# {branch.delay_ms:g} ms, which belong into the recipe (`python -m loadtest plan`).\n"
    )
    text: str = yaml.safe_dump(helm_values(plan, pool, autoscaler), sort_keys=False)
    return head + text
