"""The worlds that ramps are tried in, what is measured in each, and the targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gateway.deciding.ramp import Action
from loadtest.bench.targets import Verdict
from loadtest.ramp.simulate import LEVEL, MARGIN
from loadtest.ramp.world import Arm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.ramp.simulate import Run

_POWER: Final = 0.9
_BROKEN_S: Final = 10.0
_FALSE_ALARM: Final = 0.01
_HEALTHY: Final = Arm()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world.

    Attributes:
        candidate: behaves so.
        control: behaves so.
        part: of the runs that are asked for; the lengthy ones need not be as many.
        longest_s: when to stop looking, in seconds.
    """

    candidate: Arm
    control: Arm = _HEALTHY
    part: float = 1.0
    longest_s: int = 480


SCENARIOS: Final = {
    "equal": Scenario(Arm()),
    "worse by the margin": Scenario(Arm(accuracy_change=-MARGIN)),
    "better by 0.03": Scenario(Arm(accuracy_change=0.03)),
    "fails always": Scenario(Arm(failure_ratio=1.0)),
    "fails in 3 of 10": Scenario(Arm(failure_ratio=0.3)),
    "1 of 10 answers slow": Scenario(Arm(slow_ratio=0.1)),
    "accuracy lower by 0.3": Scenario(Arm(accuracy_change=-0.3)),
    "both fail in 3 of 10": Scenario(
        Arm(failure_ratio=0.3), Arm(failure_ratio=0.3), part=0.2, longest_s=300
    ),
}


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Returns what came of the runs of one scenario, as JSON."""
    seconds = np.array([each.seconds for each in runs])
    rolled_back = np.array([each.end is Action.ROLL_BACK for each in runs])
    completed = np.array([each.end is Action.COMPLETE for each in runs])

    def share(flags: Sequence[bool]) -> float:
        return float(np.mean(flags))

    def quantiles(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, float] | None:
        if not mask.any():
            return None
        return {f"p{q}": float(np.percentile(seconds[mask], q)) for q in (50, 99)}

    requests = np.array([each.candidate_requests for each in runs])
    reasons: dict[str, int] = {}
    for each in runs:
        if each.end is not Action.HOLD:
            for reason in each.reasons:
                reasons[reason] = reasons.get(reason, 0) + 1
    return {
        "runs": len(runs),
        "had_all_units": share([each.has_all for each in runs]),
        "completed": float(completed.mean()),
        "rolled_back": float(rolled_back.mean()),
        "paused": share([each.end is Action.PAUSE for each in runs]),
        "called_better": share([each.is_called_better for each in runs]),
        "called_worse": share([each.is_called_worse for each in runs]),
        "seconds_to_completion": quantiles(completed),
        "seconds_to_rollback": quantiles(rolled_back),
        "candidate_requests_to_rollback_p99": float(np.percentile(requests[rolled_back], 99))
        if rolled_back.any()
        else None,
        "ends": reasons,
    }


def judge(found: Mapping[str, Mapping[str, Any]]) -> tuple[Verdict, ...]:
    """Holds the figures against the targets."""
    broken_s = found["fails always"]["seconds_to_rollback"]
    return (
        _below("false ramp: worse by the margin, had all units", LEVEL, found, "had_all_units"),
        _below("false claim: equal, called better", LEVEL, found, "called_better"),
        _below("equal, rolled back", LEVEL, found, "rolled_back"),
        _below("both fail alike, rolled back", _FALSE_ALARM, found, "rolled_back"),
        Verdict(
            "power: better by 0.03, completed",
            float(found["better by 0.03"]["completed"]),
            _POWER,
            True,
            "",
        ),
        Verdict(
            "fails always: P99 of the time to rollback",
            float("nan") if broken_s is None else float(broken_s["p99"]),
            _BROKEN_S,
            False,
            "s",
        ),
        Verdict(
            "broken candidates that were rolled back",
            min(float(found[name]["rolled_back"]) for name in _BROKEN),
            1.0,
            True,
            "",
        ),
    )


_BROKEN: Final = (
    "fails always",
    "fails in 3 of 10",
    "1 of 10 answers slow",
    "accuracy lower by 0.3",
)
_SCENARIO_OF: Final = {
    "false ramp": "worse by the margin",
    "false claim": "equal",
    "equal, rolled back": "equal",
    "both fail alike, rolled back": "both fail in 3 of 10",
}


def _below(name: str, limit: float, found: Mapping[str, Mapping[str, Any]], figure: str) -> Verdict:
    (scenario,) = {each for prefix, each in _SCENARIO_OF.items() if name.startswith(prefix)}
    return Verdict(name, float(found[scenario][figure]), limit, False, "")


def described() -> dict[str, dict[str, Any]]:
    """Returns the scenarios as JSON."""
    return {name: asdict(each) for name, each in SCENARIOS.items()}
