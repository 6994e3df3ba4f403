"""The order of a run: CPU time under load, added latency by turns, shares under the sampler."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from deploy.local.triton_server import free_ports
from loadtest.bench.accounting import CpuUse, read_cpu
from loadtest.bench.errors import NoProfileError, RefusedError, ServerUnreachableError
from loadtest.bench.targets import Verdict
from loadtest.bench.window import GATEWAY, UnderLoad
from loadtest.gateway_cost.profiled_server import ProfiledGateway, begin_profile, read_profile
from loadtest.gateway_cost.thin_gateway import THIN_GATEWAY, ThinGateway
from loadtest.gateway_cost.turns import DirectClient, GatewayClient, take_turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.bench.corpus import Example
    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator
    from loadtest.bench.stack import Stack
    from loadtest.bench.subject import Subject
    from loadtest.gateway_cost.turns import LatencyFigures

MAX_CPU_MS: Final = 2.0
PHOTO_BYTES: Final = 60_000
CLIENTS: Final = (1, 8, 16)
_PROFILED_CLIENTS: Final = 8
_PHOTOS: Final = 8
_PROFILES: Final = 3
_READY_TIMEOUT_S: Final = 60.0
_WARM_S: Final = 0.5
_FIRST_S: Final = 4.0
"""Of load before anything is measured: drift looks at the first hundred answers of a window of ten
minutes, and then at less than one a second."""
_SETTINGS: Final = {
    "DIPTYCH_GATEWAY_HAS_COALESCING": "true",  # as users have it
    # A refusal costs a twentieth: however busy the machine is, there must be none in the figures.
    "DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": "30000",
}


@dataclass(frozen=True)
class CpuFigures:
    """What a process in front of Triton took under one load.

    Attributes:
        clients: closed-loop, each with one request in flight.
        throughput_rps: requests a second.
        cpu_ms: of the process, a request.
        foreign_ratio: share of the machine that other processes took meanwhile.
    """

    clients: int
    throughput_rps: float
    cpu_ms: float
    foreign_ratio: float


@dataclass(frozen=True)
class CostFigures:
    """One run.

    Attributes:
        photo_bytes: mean size of the photos sent; each comes with a sentence.
        idle_cpu_ms_per_s: of the gateway's process while nobody asks; part of what follows too.
        cpu: of the gateway, under each load.
        thin_cpu: of a thin gateway before the same Triton, each right after ours.
        latency: of one client.
        shares: of the gateway's CPU time by part, largest first; they add up to 1.
    """

    photo_bytes: float
    idle_cpu_ms_per_s: float
    cpu: Sequence[CpuFigures]
    thin_cpu: Sequence[CpuFigures]
    latency: LatencyFigures
    shares: Mapping[str, float]


def measure(subject: Subject, window_s: float, narrator: Narrator) -> CostFigures:
    """Measures the gateway in front of the real Triton.

    Args:
        subject: the variant and its requests.
        window_s: length of each measurement, in seconds.
        narrator: is told the figures.

    Raises:
        BenchError: an answer was wrong, or there are no figures to be had.
        LocalError: a server does not start.
    """
    examples = _of_one_size(subject.corpus)
    subject = replace(subject, corpus=examples)
    photo_bytes = sum(len(each.photo) for each in examples) / len(examples)
    narrator.say(f"{len(examples)} requests with photos of {photo_bytes / 1000:.0f} KB")
    with subject.stack(_SETTINGS) as stack:
        idle_cpu_ms_per_s = _idle(window_s, narrator)
        cpu, thin_cpu = _cpu_by_turns(subject, stack, window_s, narrator)
        direct = DirectClient(stack.triton_address, subject.variant.ensemble)
        latency = take_turns(direct, GatewayClient(stack.address), examples, window_s)
        narrator.say(
            f"one client: P50 {latency.direct.p50_ms:.2f} ms direct, {latency.through.p50_ms:.2f} "
            f"through the gateway, {latency.added_p50_ms:.2f} more within a turn"
        )
    shares = _shares(subject, window_s, narrator)
    for part, share in shares.items():
        narrator.say(f"{share:6.1%}  {part}")
    return CostFigures(photo_bytes, idle_cpu_ms_per_s, cpu, thin_cpu, latency, shares)


def judge(figures: CostFigures) -> tuple[Verdict, ...]:
    """Holds the CPU time under each load against the target."""
    return tuple(
        Verdict(
            f"CPU of the gateway a request, {each.clients} clients",
            each.cpu_ms,
            MAX_CPU_MS,
            is_lower_bound=False,
            unit="ms",
        )
        for each in figures.cpu
    )


def _of_one_size(corpus: Sequence[Example]) -> list[Example]:
    """Returns as many examples, all different, with photos close to the size."""
    photos = sorted({each.photo for each in corpus}, key=lambda each: abs(len(each) - PHOTO_BYTES))[
        :_PHOTOS
    ]
    return [replace(each, photo=photos[number % len(photos)]) for number, each in enumerate(corpus)]


def _idle(window_s: float, narrator: Narrator) -> float:
    before = read_cpu()
    time.sleep(window_s)
    spent_s = CpuUse.between(before, read_cpu()).by_process_s[GATEWAY]
    idle_cpu_ms_per_s = 1000 * spent_s / window_s
    narrator.say(f"nobody asks: gateway {idle_cpu_ms_per_s:.1f} CPU ms a second")
    return idle_cpu_ms_per_s


def _cpu_by_turns(
    subject: Subject, stack: Stack, window_s: float, narrator: Narrator
) -> tuple[list[CpuFigures], list[CpuFigures]]:
    """Returns the figures of the gateway and of a thin one."""
    (port,) = free_ports(1)
    thin = ThinGateway(
        repository=subject.repository,
        variant=subject.variant,
        triton_address=stack.triton_address,
        port=port,
        log_path=subject.log_folder / "thin-gateway.log",
    )
    with thin:
        thin.wait_ready(_READY_TIMEOUT_S)
        turns = {GATEWAY: subject.server(stack.address), THIN_GATEWAY: subject.server(thin.address)}
        found: dict[str, list[CpuFigures]] = {role: [] for role in turns}
        for role, server in turns.items():
            UnderLoad(role, server, max(CLIENTS)).measure(min(_FIRST_S, window_s))
        for clients in CLIENTS:
            for role, server in turns.items():
                UnderLoad(role, server, clients).measure(_WARM_S)
                found[role].append(_cpu(role, server, clients, window_s, narrator))
    return found[GATEWAY], found[THIN_GATEWAY]


def _cpu(
    role: str, server: Server, clients: int, window_s: float, narrator: Narrator
) -> CpuFigures:
    sample = UnderLoad(role, server, clients).measure(window_s)
    if sample.failures:
        raise RefusedError(role, list(sample.failures))
    answers = sample.throughput_rps * sample.duration_s
    cpu_ms = 1000 * sample.cpu.by_process_s[role] / answers
    figures = CpuFigures(clients, sample.throughput_rps, cpu_ms, sample.cpu.foreign_ratio)
    narrator.say(
        f"{clients:>2} clients: {figures.throughput_rps:.1f}/s, "
        f"{'gateway' if role is GATEWAY else 'thin gateway'} {cpu_ms:.2f} CPU ms a "
        f"request, foreign CPU {figures.foreign_ratio:.0%}"
    )
    return figures


def _shares(subject: Subject, window_s: float, narrator: Narrator) -> Mapping[str, float]:
    for _ in range(_PROFILES - 1):
        try:
            return _sample_shares(subject, window_s)
        except (NoProfileError, ServerUnreachableError) as error:
            # `faulthandler` reads frames that the interpreter is changing, and may crash at it.
            narrator.say(f"the sampled gateway ended; once more ({error})")
    return _sample_shares(subject, window_s)


def _sample_shares(subject: Subject, window_s: float) -> Mapping[str, float]:
    with subject.stack(_SETTINGS, ProfiledGateway) as stack:
        server = subject.server(stack.address)
        UnderLoad(GATEWAY, server, _PROFILED_CLIENTS).measure(min(1.0, window_s))  # warm
        begin_profile(stack.gateway)
        UnderLoad(GATEWAY, server, _PROFILED_CLIENTS).measure(window_s)
    return read_profile(stack.gateway)
