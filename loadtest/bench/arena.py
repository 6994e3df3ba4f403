"""Where the service and its peers meet: all running at once, with the same answers, in turns.

Those whose turn it is not are idle and cost next to nothing, so nothing is started or loaded
between two windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from loadtest.bench.errors import AnswersDifferError, RefusedError
from loadtest.bench.load_client import ask_in_turn
from loadtest.bench.roofline import Roofline
from loadtest.bench.rounds import RepeatBudget
from loadtest.bench.targets import TARGET_CLIENTS
from loadtest.bench.window import (
    BASELINE,
    GATEWAY,
    Contestant,
    InProcess,
    OneRequest,
    UnderLoad,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator
    from loadtest.bench.peers import BaselineSettings
    from loadtest.bench.plan import Plan
    from loadtest.bench.roofline import Layout
    from loadtest.bench.rounds import Round
    from loadtest.bench.stack import Stack
    from loadtest.bench.subject import Subject

LONE_CLIENT: Final = 1


@dataclass(frozen=True)
class Arena:
    """The service and its peers, all running, all proven to give the same answers.

    Attributes:
        gateway: the service.
        baseline: its peer.
        in_process: the work without a server.
        one_request: the same for one request alone.
    """

    gateway: Server
    baseline: Server
    in_process: InProcess
    one_request: OneRequest

    @classmethod
    def open(
        cls,
        subject: Subject,
        stack: Stack,
        layout: Layout,
        settings: BaselineSettings,
        peers: ExitStack,
    ) -> Arena:
        """Starts the peers beside the service; `peers` stops them.

        Raises:
            RefusedError: one does not answer.
            AnswersDifferError: one answers otherwise than the others.
        """
        roofline, single = _rooflines(subject, layout, peers)
        baseline = peers.enter_context(subject.baseline(settings))
        arena = cls(
            gateway=subject.server(stack.address),
            baseline=subject.server(baseline.address),
            in_process=InProcess(roofline, layout),
            one_request=OneRequest(single),
        )
        truth = single.labels()
        for name, server in ((GATEWAY, arena.gateway), (BASELINE, arena.baseline)):
            labels = ask_labels(name, server, len(subject.corpus))
            different = sum(a != b for a, b in zip(labels, truth, strict=True))
            if different:
                raise AnswersDifferError(name, different, len(labels))
        return arena

    def measure(self, plan: Plan, narrator: Narrator) -> dict[int, list[Round]]:
        """Takes all turns; returns the rounds by number of clients."""
        rounds = {}
        for clients, turns in plan.turns.items():
            rounds[clients] = turns.take(
                self._contestants(clients),
                RepeatBudget(plan.max_repeats),
                partial(narrator.tell_window, clients, turns),
            )
        return rounds

    def _contestants(self, clients: int) -> Sequence[Contestant]:
        contestants: list[Contestant] = [
            self.in_process,
            UnderLoad(GATEWAY, self.gateway, clients),
        ]
        if clients == TARGET_CLIENTS:
            contestants.append(UnderLoad(BASELINE, self.baseline, clients))
        if clients == LONE_CLIENT:
            contestants.append(self.one_request)
        return contestants


def _rooflines(subject: Subject, layout: Layout, peers: ExitStack) -> tuple[Roofline, Roofline]:
    """Starts the best layout's workers, and those whose single thread times one request."""
    roofline = peers.enter_context(
        Roofline(subject.variant, subject.corpus, layout.processes, layout.threads)
    )
    if layout.threads == 1:
        return roofline, roofline
    single = Roofline(subject.variant, subject.corpus, processes=1, threads=1)
    return roofline, peers.enter_context(single)


def ask_labels(contestant: str, server: Server, count: int) -> list[str]:
    """Sends the first requests of the corpus one after the other and returns their labels.

    Args:
        contestant: who is asked, for the message of the error.
        server: where and what to ask.
        count: how many requests.

    Raises:
        RefusedError: not all were answered rightly.
    """
    load = ask_in_turn(server, count)
    if load.failures:
        raise RefusedError(contestant, list(load.failures))
    return load.labels
