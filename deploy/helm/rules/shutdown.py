"""Pods end in order: out of the balancers, then what is in flight, then the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.helm.objects import Chart, title

if TYPE_CHECKING:
    from collections.abc import Iterator

_DRAIN_VARIABLES: Final = ("DIPTYCH_GATEWAY_DRAIN_DELAY_S", "DIPTYCH_GATEWAY_DRAIN_TIMEOUT_S")
_EXIT_FLAG: Final = "--exit-timeout-secs="
_LOOK_UP_S: Final = 5.0
"""How often the gateway looks up names, by default: an address may stay known for as long."""


def grace_covers_draining(chart: Chart) -> Iterator[tuple[str, str]]:
    """The grace period is more than all that happens before the end, by 5 s or more."""
    for deployment in chart.of_kind("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        needed_s = sum(_needed_s(container) for container in spec["containers"])
        grace_s = spec.get("terminationGracePeriodSeconds", 30)
        if grace_s < needed_s + 5:
            yield title(deployment), f"{grace_s} s of grace, and draining takes up to {needed_s:g}"


def triton_hears_last(chart: Chart) -> Iterator[tuple[str, str]]:
    """Triton waits before SIGTERM, after which it refuses, for longer than a look-up of names."""
    for pods in chart.pods:
        for container in pods.spec["containers"]:
            if container["name"] == "triton" and _pre_stop_s(container) < _LOOK_UP_S:
                yield title(pods.owner), f"preStop is under the {_LOOK_UP_S:g} s between look-ups"


def _needed_s(container: dict[str, Any]) -> float:
    variables = {each["name"]: each.get("value") for each in container.get("env", ())}
    drain_s = sum(float(variables.get(name) or 0) for name in _DRAIN_VARIABLES)
    arguments = container.get("args", ())
    exits_s = [float(a.removeprefix(_EXIT_FLAG)) for a in arguments if a.startswith(_EXIT_FLAG)]
    return _pre_stop_s(container) + drain_s + sum(exits_s)


def _pre_stop_s(container: dict[str, Any]) -> float:
    hook = container.get("lifecycle", {}).get("preStop", {})
    return float(hook.get("sleep", {}).get("seconds", 0))


RULES: Final = (grace_covers_draining, triton_hears_last)
