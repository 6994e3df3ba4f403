"""Measures a profile on the running service: Triton's own statistics under rising load.

Closed-loop clients go through the gateway; Triton's statistics API then says, for each step and
each size of batch, how often it was run and how long that took. A step that shares its cores with
others is slower under load than alone, and planned with what it takes under load.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tritonclient.grpc import InferenceServerClient

from loadtest.bench.accounting import read_cpu
from loadtest.bench.load_client import ClosedLoop
from loadtest.bench.machine import this_machine
from loadtest.capacity.profile import Profile, StepProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtest.bench.load import Load, Server
    from loadtest.bench.narrator import Narrator
    from loadtest.bench.stack import Stack
    from loadtest.bench.subject import Subject

CLIENTS: Final = (1, 2, 4, 8, 16)
_GATEWAY: Final = "gateway"
_HEAD: Final = "fusion_head"
_FEW_BATCHES: Final = 5  # fewer than this say little of a size
_NS_PER_MS: Final = 1e6

Batches = dict[tuple[str, int], tuple[int, int]]
"""Count and nanoseconds by model and size of batch."""


@dataclass(frozen=True)
class _Model:
    name: str
    step: str
    max_batch: int
    delay_ms: float
    instances: int


def measure_profile(
    subject: Subject, stack: Stack, start_s: float, seconds: float, narrator: Narrator
) -> Profile:
    """Loads the service with 1 to 16 clients and reads what its steps took.

    Args:
        subject: what is served.
        stack: the running service.
        start_s: what its start took, to the first answer.
        seconds: of each number of clients.
        narrator: is told of each.
    """
    server = subject.server(stack.address)
    with closing(InferenceServerClient(stack.triton_address)) as triton:
        models = _models(triton, subject.variant.ensemble)
        totals: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        lone: Load | None = None
        gateway_cpu_ms = 1.0
        for clients in CLIENTS:
            before, cpu = _batches(triton, models), read_cpu()
            load = _drive(server, clients, seconds)
            spent_s = read_cpu().by_process_s[_GATEWAY] - cpu.by_process_s[_GATEWAY]
            gateway_cpu_ms = max(0.01, 1000 * spent_s / max(1, load.answers))
            for key, (count, spent_ns) in _batches(triton, models).items():
                old_count, old_ns = before.get(key, (0, 0))
                totals[key][0] += count - old_count
                totals[key][1] += spent_ns - old_ns
            narrator.say(f"{clients:>2} clients: {load.throughput_rps:.1f}/s")
            lone = lone or load
    steps = {each.step: _step(each, totals) for each in models}
    head = steps.pop(_HEAD, None)
    assert lone is not None  # noqa: S101  # one client is the first
    bare = Profile(
        variant=f"{subject.variant.name}@{subject.variant.digest}",
        device=f"{this_machine().cores} cores of {this_machine().cpu_model}",
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        branches=tuple(steps.values()),
        head=head,
        overhead_ms=0.0,
        gateway_cpu_ms=gateway_cpu_ms,
        pod_start_s=start_s,
    )
    overhead_ms = max(0.0, statistics.median(lone.latencies_ms) - bare.alone_ms)
    return bare.model_copy(update={"overhead_ms": overhead_ms})


def _drive(server: Server, clients: int, seconds: float) -> Load:
    with ClosedLoop(server, clients) as loop:
        loop.run(0.5)  # until all are in step
        return loop.run(seconds)


def _models(triton: Any, ensemble: str) -> list[_Model]:  # noqa: ANN401  # of an untyped package
    config = triton.get_model_config(ensemble).config
    models = []
    for name in (step.model_name for step in config.ensemble_scheduling.step):
        each = triton.get_model_config(name).config
        settings = json.loads(each.parameters["settings"].string_value)
        has_batches = each.HasField("dynamic_batching")
        models.append(
            _Model(
                name=name,
                step=settings["step"],
                max_batch=max(1, each.max_batch_size) if has_batches else 1,
                delay_ms=each.dynamic_batching.max_queue_delay_microseconds / 1000,
                instances=sum(group.count for group in each.instance_group) or 1,
            )
        )
    return models


def _batches(triton: Any, models: list[_Model]) -> Batches:  # noqa: ANN401
    found: Batches = {}
    for model in models:
        answer = triton.get_inference_statistics(model.name)
        for each in (batch for stats in answer.model_stats for batch in stats.batch_stats):
            parts = (each.compute_input, each.compute_infer, each.compute_output)
            spent_ns = sum(part.ns for part in parts)
            found[model.name, each.batch_size] = (each.compute_infer.count, spent_ns)
    return found


def _step(model: _Model, totals: Mapping[tuple[str, int], list[int]]) -> StepProfile:
    sizes = {size: total for (name, size), total in totals.items() if name == model.name}
    enough = {size: each for size, each in sizes.items() if each[0] >= _FEW_BATCHES}
    service_ms = {
        size: spent_ns / count / _NS_PER_MS for size, (count, spent_ns) in sorted(enough.items())
    }
    return StepProfile(
        name=model.step,
        max_batch=model.max_batch,
        delay_ms=model.delay_ms,
        instances=model.instances,
        service_ms=service_ms,
    )


def first_answer_s(server: Server, begun_s: float) -> float:
    """Returns the time from the begin of a start to the first answer, in seconds."""
    with ClosedLoop(server, 1) as loop:
        loop.run(60.0, max_answers=1)
    return time.perf_counter() - begun_s
