"""Measures a profile on the running service.

Each step is called by itself, with batches of each size, while nothing else computes; then encoders
at once, whose CPU time says how much slower cores are that are busy together. Then requests come
one by one: what a step takes longer for them than for calls that follow each other is what its
waking costs, and what they take longer than in a simulation is in no step.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, zip_longest
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from tritonclient.grpc import InferenceServerClient

from loadtest.bench.accounting import CLIENT, read_cpu
from loadtest.bench.latencies import Percentiles
from loadtest.bench.load_client import ClosedLoop
from loadtest.bench.machine import this_machine
from loadtest.capacity.profile import Profile, StepProfile
from loadtest.capacity.simulation import Setting, simulate
from loadtest.capacity.step_calls import Model, StepCaller
from loadtest.overload.open_loop import OpenLoop, Stretch
from loadtest.traffic.shapes import Steady

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator
    from loadtest.bench.stack import Stack
    from loadtest.bench.subject import Subject

_GATEWAY: Final = "gateway"
_TRITON: Final = "tritonserver"
_HEAD: Final = "fusion_head"
_CLIENTS_A_CORE: Final = 4  # that keep the cores busy, and of whose requests none is refused
_LONE_RATIO: Final = 0.1  # of what the service does: few requests meet
_LONE_SIMULATED: Final = 2_000
_LONE_WINDOWS: Final = 5


@dataclass(frozen=True)
class Measured:
    """A profile, and what it was measured beside.

    Attributes:
        profile: of the variant.
        client_cpu_ms: CPU time of the load tool for one request.
    """

    profile: Profile
    client_cpu_ms: float

    @property
    def beside_cpu_ms(self) -> float:
        """CPU time for one request of what shares the cores with Triton here."""
        return self.client_cpu_ms + self.profile.gateway_cpu_ms


def measure_profile(
    subject: Subject, stack: Stack, start_s: float, seconds: float, narrator: Narrator
) -> Measured:
    """Measures all parts of a profile.

    Args:
        subject: what is served.
        stack: the running service; nobody else may use it.
        start_s: what its start took, to the first answer.
        seconds: of each part.
        narrator: is told of each.
    """
    with closing(InferenceServerClient(stack.triton_address)) as triton:
        models = _models(triton, subject.variant.ensemble)
    caller = StepCaller(stack.triton_address, subject.corpus)
    times = {each.step: caller.times(each, seconds / 4) for each in models}
    steps = {
        each.step: StepProfile(
            name=each.step,
            max_batch=each.max_batch,
            delay_ms=each.delay_ms,
            instances=each.instances,
            service_ms=dict(times[each.step].service_ms),
            variation=times[each.step].variation,
        )
        for each in models
    }
    machine = this_machine()
    cores = None if all(each.has_own_device for each in models) else machine.cores
    slowdown = _slowdown(caller, models, machine.cores, seconds) if cores else 1.0
    server = subject.server(stack.address)
    gateway_ms, triton_ms, client_ms = _cpu_ms(server, _CLIENTS_A_CORE * machine.cores, seconds / 2)
    head = steps.pop(_HEAD, None)
    bare = Profile(
        variant=f"{subject.variant.name}@{subject.variant.digest}",
        device=f"{machine.cores} cores of {machine.cpu_model}",
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        branches=tuple(steps.values()),
        head=head,
        overhead_ms=0.0,
        gateway_cpu_ms=gateway_ms,
        triton_cpu_ms=triton_ms,
        cores=cores,
        slowdown=slowdown,
        pod_start_s=start_s,
    )
    beside_ms = gateway_ms + client_ms
    rate_rps = max(1.0, _LONE_RATIO * bare.most_rps(beside_ms))
    lone_ms, steps_ms = _lone(server, caller, models, rate_rps, seconds)
    woken = _woken(bare, steps_ms)
    overhead_ms = max(0.0, lone_ms - _simulated_ms(woken, beside_ms, rate_rps))
    each_ms = ", ".join(
        f"{step.name} {step.batch_ms(1):.1f} (woken {step.alone_ms:.1f})" for step in woken.steps
    )
    narrator.say(
        f"profile: {each_ms} ms; {slowdown:.2f} times as long on busy cores; CPU of gateway "
        f"{gateway_ms:.1f}, Triton {triton_ms:.1f} ms; a lone request {lone_ms:.1f} ms"
    )
    return Measured(woken.model_copy(update={"overhead_ms": overhead_ms}), client_ms)


def _models(triton: Any, ensemble: str) -> list[Model]:  # noqa: ANN401  # of an untyped package
    config = triton.get_model_config(ensemble).config
    models = []
    for name in (step.model_name for step in config.ensemble_scheduling.step):
        each = triton.get_model_config(name).config
        settings = json.loads(each.parameters["settings"].string_value)
        has_batches = each.HasField("dynamic_batching")
        models.append(
            Model(
                name=name,
                step=settings["step"],
                max_batch=max(1, each.max_batch_size) if has_batches else 1,
                delay_ms=each.dynamic_batching.max_queue_delay_microseconds / 1000,
                instances=sum(group.count for group in each.instance_group) or 1,
                inputs=tuple((spec.name, _dtype(spec), tuple(spec.dims)) for spec in each.input),
                has_own_device=any(group.kind == group.KIND_GPU for group in each.instance_group),
            )
        )
    return models


def _dtype(spec: Any) -> str:  # noqa: ANN401  # a protobuf of an untyped package
    enum = spec.DESCRIPTOR.fields_by_name["data_type"].enum_type
    name: str = enum.values_by_number[spec.data_type].name
    return "BYTES" if name == "TYPE_STRING" else name.removeprefix("TYPE_")


def _slowdown(caller: StepCaller, models: Sequence[Model], cores: int, seconds: float) -> float:
    """How many times the CPU time the same work takes when all cores are busy with encoders.

    CPU time, not time: what a call waits for a core the simulation has already.
    """
    encoders = [[each] * each.instances for each in models if each.step != _HEAD]
    turns = chain.from_iterable(zip_longest(*encoders))
    busy = [each for each in turns if each is not None][:cores]
    if len(busy) < 2:
        return 1.0
    alone_s = {}
    for each in dict.fromkeys(busy):
        (calls,), spent_s = _calls_and_cpu_s(caller, [each], seconds / 4)
        alone_s[each.name] = spent_s / calls
    calls_of, spent_s = _calls_and_cpu_s(caller, busy, seconds / 2)
    ratio = spent_s / sum(alone_s[each.name] * n for each, n in zip(busy, calls_of, strict=True))
    return max(1.0, 1 + (ratio - 1) * (cores - 1) / (len(busy) - 1))


def _calls_and_cpu_s(
    caller: StepCaller, models: Sequence[Model], seconds: float
) -> tuple[list[int], float]:
    """How often each model was called, and the CPU time of Triton and its models for all that."""
    before = read_cpu().by_process_s
    calls = caller.together(models, seconds)
    after = read_cpu().by_process_s
    spent_s = sum(
        after[name] - before.get(name, 0.0) for name in after if name not in {CLIENT, _GATEWAY}
    )
    return calls, spent_s


def _cpu_ms(server: Server, clients: int, seconds: float) -> tuple[float, float, float]:
    """CPU time of gateway, Triton and load tool for one request under load."""
    with ClosedLoop(server, clients) as loop:
        loop.run(0.5)  # until all are in step
        before = read_cpu().by_process_s
        answers = max(1, len(loop.run(seconds).latencies_ms))
        after = read_cpu().by_process_s
    gateway_ms, triton_ms, client_ms = (
        1000 * (after.get(name, 0.0) - before.get(name, 0.0)) / answers
        for name in (_GATEWAY, _TRITON, CLIENT)
    )
    return max(0.01, gateway_ms), triton_ms, client_ms


def _lone(
    server: Server, caller: StepCaller, models: Sequence[Model], rate_rps: float, seconds: float
) -> tuple[float, dict[str, float]]:
    """What lone requests take, and each step for them, in ms.

    Of several windows the one in the middle: a machine with little to do is slow to wake in spells.
    """

    def window(seed: int) -> tuple[float, dict[str, float]]:
        latencies_ms: list[float] = []

        def send() -> None:
            replies = loop.run([Stretch(rate_rps, seconds)], seed)
            latencies_ms.extend(1000 * each.latency_s for each in replies)

        steps_ms = caller.lone_ms(models, send)
        return Percentiles.of(latencies_ms).p50_ms, steps_ms

    with OpenLoop(server) as loop:
        windows = [window(seed) for seed in range(_LONE_WINDOWS)]
    return sorted(windows, key=itemgetter(0))[_LONE_WINDOWS // 2]


def _woken(bare: Profile, steps_ms: Mapping[str, float]) -> Profile:
    """A profile with what steps take longer that had nothing to do before."""

    def one(step: StepProfile) -> StepProfile:
        more_ms = max(0.0, steps_ms[step.name] - step.batch_ms(1))
        return step.model_copy(update={"wake_ms": more_ms})

    branches = tuple(one(each) for each in bare.branches)
    return bare.model_copy(update={"branches": branches, "head": bare.head and one(bare.head)})


def _simulated_ms(profile: Profile, beside_ms: float, rate_rps: float) -> float:
    """What lone requests take in a simulation."""
    outcome = simulate(
        Setting(
            profile=profile,
            replicas=1,
            shape=Steady(kind="steady", rate_rps=rate_rps),
            duration_s=_LONE_SIMULATED / rate_rps,
            has_admission=False,
            beside_cpu_ms=beside_ms,
        )
    )
    return outcome.latency.p50_ms


def first_answer_s(server: Server, begun_s: float) -> float:
    """Returns the time from the begin of a start to the first answer, in seconds."""
    with ClosedLoop(server, 1) as loop:
        loop.run(60.0, max_answers=1)
    return time.perf_counter() - begun_s
