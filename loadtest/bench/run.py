"""The order of a run: requests, calibration, starts, the windows in turns, memory.

Whatever ends it, Ctrl-C included, every process it started is stopped before it returns.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from loadtest.bench.accounting import read_memory
from loadtest.bench.arena import LONE_CLIENT, Arena, ask_labels
from loadtest.bench.calibration import best_baseline, best_layout
from loadtest.bench.corpus import make_corpus
from loadtest.bench.figures import Figures, LoadFigures, LoneClientFigures
from loadtest.bench.machine import this_machine
from loadtest.bench.subject import Subject
from loadtest.bench.variant import read_variant
from loadtest.bench.window import GATEWAY, ONE_REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loadtest.bench.corpus import Example
    from loadtest.bench.narrator import Narrator
    from loadtest.bench.plan import Plan
    from loadtest.bench.stack import Stack


def run(
    repository: Path, variant_name: str, plan: Plan, log_folder: Path, narrator: Narrator
) -> Figures:
    """Measures a published variant.

    Args:
        repository: the model repository.
        variant_name: `variant` or `variant@digest`.
        plan: how long to measure what.
        log_folder: where the servers write their logs.
        narrator: told of each step.

    Raises:
        BenchError: there are no figures to be had.
        LocalError: the repository cannot be served, or a server does not start.
    """
    machine = this_machine()
    variant = read_variant(repository, variant_name)
    corpus = make_corpus(variant.tokeniser.load())
    subject = Subject(repository, variant, corpus, log_folder)
    narrator.say(
        f"{variant.name}@{variant.digest[:12]} ({variant.precision}), {len(corpus)} requests, on "
        f"{machine.cores} cores of {machine.cpu_model}"
    )
    layout, in_process_rps = best_layout(subject, machine.cores, plan.calibration_s, narrator)
    settings, baseline_rps = best_baseline(subject, machine.cores, plan.calibration_s, narrator)

    starts_s = []
    for _ in range(plan.starts - 1):
        with _started(subject, narrator) as (_, start_s):
            starts_s.append(start_s)
    with _started(subject, narrator) as (stack, start_s):
        starts_s.append(start_s)
        with ExitStack() as peers:
            arena = Arena.open(subject, stack, layout, settings, peers)
            narrator.say(f"all label the {len(corpus)} requests alike")
            rounds = arena.measure(plan, narrator)
        # The peers are gone: pages that they shared with the service are its own again.
        memory = read_memory(service.pid for service in stack.services if service.pid)
    return Figures(
        machine=machine,
        variant=f"{variant.name}@{variant.digest}",
        precision=variant.precision,
        corpus=_describe(corpus),
        window_s=plan.window_s,
        starts_s=starts_s,
        in_process_rps=in_process_rps,
        baseline_rps=baseline_rps,
        layout=str(layout),
        baseline_settings=str(settings),
        loads=[LoadFigures.of(clients, each, GATEWAY) for clients, each in rounds.items()],
        lone_client=LoneClientFigures.of(rounds[LONE_CLIENT], GATEWAY, ONE_REQUEST),
        memory=memory,
    )


@contextmanager
def _started(subject: Subject, narrator: Narrator) -> Iterator[tuple[Stack, float]]:
    """Starts the service; yields it and the seconds until its first right answer."""
    stack = subject.stack()
    begun_s = time.perf_counter()
    with stack:
        ask_labels(GATEWAY, subject.server(stack.address), count=1)
        start_s = time.perf_counter() - begun_s
        narrator.say(f"service started; first answer after {start_s:.2f} s")
        yield stack, start_s


def _describe(corpus: Sequence[Example]) -> dict[str, int]:
    photo_bytes = [len(example.photo) for example in corpus]
    tokens = [example.tokens for example in corpus]
    return {
        "requests": len(corpus),
        "photos": len({example.photo for example in corpus}),
        "photo_bytes_min": min(photo_bytes),
        "photo_bytes_max": max(photo_bytes),
        "tokens_min": min(tokens),
        "tokens_max": max(tokens),
    }
