"""Locust's users: each sends one protocol's share of a scenario, whatever comes back.

A user does not wait for its answers: it starts a greenlet for each request when that is due, and
latency counts from then. Importing this module imports locust, which patches the process for
gevent: only the processes that send do (`sender`).
"""

from __future__ import annotations

import os
import time
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final

import gevent
from gevent.pool import Group
from locust import User, task
from locust.exception import StopUser

from loadtest.traffic.corpus import Corpus, held_out_samples, photos_and_sentences, seeded
from loadtest.traffic.errors import TargetError
from loadtest.traffic.grpc_calls import GrpcClassifier
from loadtest.traffic.order import PATIENCE_S, Order
from loadtest.traffic.replies import Judgement, Outcome, Reply, RestJudge
from loadtest.traffic.scenario import Modalities, Protocol
from loadtest.traffic.shapes import due_times
from loadtest.traffic.transports import get, open_transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locust.runners import Runner

    from loadtest.traffic.transports import Transport

API_KEY_VARIABLE: Final = "DIPTYCH_API_KEY"
REPLIES: Final = "diptych_replies"
ENDED: Final = "diptych_ended"


class Work:
    """What the users of one process share: the order, the corpus, the judge, and the replies."""

    def __init__(self, order: Order, samples: Path) -> None:
        """Makes ready; nothing of the scenario is sent yet.

        Raises:
            CorpusError: the corpus cannot be had.
            TargetError: the service does not say how it answers.
        """
        self.order = order
        self._begun_s = 0.0
        self.replies: list[Reply] = []
        self.sequence = count()
        self.api_key = os.environ.get(API_KEY_VARIABLE)
        self.corpus: Corpus = (
            held_out_samples(samples)
            if order.scenario.corpus == "samples"
            else photos_and_sentences()
        )
        self.judge = RestJudge.of(get(order.url, "/openapi.json"), order.url)
        if Protocol.GRPC in order.scenario.protocols:  # better now than when the first is due
            self.grpc_classifier().close()

    def begin(self, at_s: float) -> None:
        """Hears when the run begins, in seconds since the epoch: all senders begin together."""
        self._begun_s = time.perf_counter() + at_s - time.time()

    def has_ended(self, runner: Runner) -> None:
        """Hears that a user has sent all: its replies go to the one who gathers them."""
        self.hand_over(runner)
        runner.send_message(ENDED, {})

    def hand_over(self, runner: Runner) -> None:
        """Sends on what has come so far."""
        replies, self.replies = self.replies, []
        runner.send_message(REPLIES, {"rows": [list(each) for each in replies]})

    def now_s(self) -> float:
        """Seconds since the begin; negative before it. No step of the clock shows in it."""
        return time.perf_counter() - self._begun_s

    def grpc_classifier(self) -> GrpcClassifier:
        """Opens a channel.

        Raises:
            TargetError: there is no gRPC API.
        """
        target = self.order.grpc_target
        if target is None:
            reason = "the scenario sends gRPC, and no --grpc-target was given"
            raise TargetError(self.order.url, reason)
        return GrpcClassifier.open(target, self.api_key)


class Caller(User):
    """Sends its protocol's share of the rate, over a transport of its own."""

    abstract = True
    protocol: ClassVar[Protocol]
    work: ClassVar[Work]
    _transport: Transport

    def on_start(self) -> None:
        """Makes ready to send."""
        self._transport = open_transport(self.protocol, self.work)

    def on_stop(self) -> None:
        """Closes the connections."""
        self._transport.close()

    @task
    def send_all(self) -> None:
        """Sends all that is due, awaits the answers, and ends."""
        order = self.work.order
        scenario = order.scenario
        protocols = scenario.protocols
        share = protocols[self.protocol] / sum(protocols.values()) / order.senders
        # Each sender of each process draws its own times.
        runner: Any = self.environment.runner
        worker = getattr(runner, "worker_index", 0)
        seed = f"{scenario.seed} {self.protocol} {worker} {next(self.work.sequence)}"
        chance = seeded(seed)
        kinds, weights = zip(*scenario.modalities.items(), strict=True)
        under_way = Group()
        for due_s in due_times(scenario.shape, scenario.duration_s, seed, share):
            (modalities,) = chance.choices(kinds, weights)
            call = self._transport.prepare(modalities, chance)
            gevent.sleep(max(0.0, due_s - self.work.now_s()))
            under_way.spawn(self._send, due_s, modalities, call)
        under_way.join(timeout=2 * PATIENCE_S)
        self.work.has_ended(runner)
        raise StopUser

    def _send(self, due_s: float, modalities: Modalities, call: Callable[[], Judgement]) -> None:
        late_s = self.work.now_s() - due_s
        judgement = call()
        latency_s = self.work.now_s() - due_s
        self.work.replies.append(
            Reply(due_s, late_s, latency_s, self.protocol, modalities, *judgement)
        )
        self.environment.events.request.fire(
            request_type=self.protocol.value,
            name=modalities.value,
            response_time=1000 * latency_s,
            response_length=0,
            exception=None if judgement.outcome is Outcome.RIGHT else RuntimeError(judgement.what),
            context={},
        )


class MultipartCaller(Caller):
    """Uploads forms, as browsers do."""

    protocol = Protocol.MULTIPART


class JsonCaller(Caller):
    """Sends JSON, images in base64."""

    protocol = Protocol.JSON


class BatchCaller(Caller):
    """Sends several items at once."""

    protocol = Protocol.BATCH


class GrpcCaller(Caller):
    """Over one gRPC channel."""

    protocol = Protocol.GRPC


CALLERS: Final[dict[Protocol, type[Caller]]] = {
    caller.protocol: caller for caller in (MultipartCaller, JsonCaller, BatchCaller, GrpcCaller)
}
