"""One simulated ramp from its start to its end, looked at each second by `gateway.deciding`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.deciding.accuracy import Verdict
from gateway.deciding.policy import Guardrails, RampPolicy, Step
from gateway.deciding.ramp import Action, Evidence, RampState, look
from loadtest.ramp.world import Arm, World

MARGIN: Final = 0.03
LEVEL: Final = 0.05
SHARES: Final = (0.01, 0.05, 0.25, 0.5, 1.0)
POLICY: Final = RampPolicy(
    candidate="candidate",
    control="control",
    steps=tuple(Step(share, min_dwell_s=15, min_requests=30, min_outcomes=30) for share in SHARES),
    level=LEVEL,
    margin=MARGIN,
    allocation_level=0.001,
    guardrails=Guardrails(),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one ramp.

    Attributes:
        end: the action that ended it; `hold` where the time ended it.
        reasons: of that action.
        seconds: until then.
        has_all: whether the candidate had all units at some moment.
        is_called_better: whether it was said to be better at some moment.
        is_called_worse: the same the other way round.
        candidate_requests: that the candidate had until the end.
        reached_s: when each step began, in seconds.
    """

    end: Action
    reasons: tuple[str, ...]
    seconds: int
    has_all: bool
    is_called_better: bool
    is_called_worse: bool
    candidate_requests: int
    reached_s: tuple[int, ...]


def simulate(control: Arm, candidate: Arm, *, longest_s: int, seed: int) -> Run:
    """Runs one ramp.

    Args:
        control: behaves so.
        candidate: behaves so.
        longest_s: when to stop looking, in seconds.
        seed: of all that is drawn.
    """
    random = np.random.default_rng(seed)
    world = World(control, candidate, random)
    state, reached, requests = RampState(), [0], 0
    is_better, is_worse = False, False
    units = np.zeros(2, dtype=np.int64)
    found = None
    for now_s in range(1, longest_s + 1):
        share = POLICY.steps[state.step].share
        of_control, of_candidate = world.second(now_s, state.step, share)
        requests += of_candidate.requests
        units += of_control.requests, of_candidate.requests
        found = look(
            POLICY,
            state,
            Evidence(
                elapsed_s=1.0,
                control=of_control,
                candidate=of_candidate,
                strata=tuple(world.strata()),
                control_bins=world.bins(0),
                candidate_bins=world.bins(1),
                units={"control": int(units[0]), "candidate": int(units[1])},
            ),
        )
        is_better |= found.accuracy.verdict is Verdict.BETTER
        is_worse |= found.accuracy.verdict is Verdict.WORSE
        state = found.state
        if found.action is Action.ADVANCE:
            reached.append(now_s)
            units[:] = 0
        elif found.action is not Action.HOLD:
            break
    assert found is not None, "a run has a second"  # noqa: S101 - for the type
    return Run(
        end=found.action,
        reasons=found.reasons,
        seconds=now_s,
        has_all=POLICY.steps[state.step].share >= 1,
        is_called_better=is_better,
        is_called_worse=is_worse,
        candidate_requests=requests,
        reached_s=tuple(reached),
    )
