"""The closed loop against a real HTTP server on loopback."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from loadtest.bench.corpus import Example
from loadtest.bench.errors import ServerUnreachableError
from loadtest.bench.load import Server
from loadtest.bench.load_client import ClosedLoop, ask_in_turn
from tests.loadtest.bench.answering_server import Reply, answering

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = tuple(Example(b"\xff\xd8 photo %d" % index, f"Text {index}.", 4) for index in range(4))
LABELS = ("even", "odd")


def parity_of(body: bytes) -> Reply:
    number = next(index for index in range(4) if f"Text {index}.".encode() in body)
    return 200, {"label": LABELS[number % 2]}


class Counting:
    """Counts the requests that arrive, and how many are inside at once."""

    def __init__(self, reply: Callable[[bytes], Reply], duration_s: float = 0.0) -> None:
        self.arrived = self.inside = self.most_inside = 0
        self._reply, self._duration_s = reply, duration_s
        self._lock = threading.Lock()

    def __call__(self, body: bytes) -> Reply:
        with self._lock:
            self.arrived += 1
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        time.sleep(self._duration_s)
        with self._lock:
            self.inside -= 1
        return self._reply(body)


def test_closed_loop_counts_every_answer_and_leaves_none_behind() -> None:
    reply = Counting(parity_of)
    with answering(reply) as address:
        loop = ClosedLoop(Server.at(address, CORPUS, LABELS), clients=3)
        with loop:
            first, second = loop.run(0.1), loop.run(0.2)
            last = loop.drain()

    loads = (first, second, last)
    assert sum(load.answers for load in loads) == reply.arrived
    assert not any(load.failures for load in loads)
    assert len(last.latencies_ms) == 3
    assert second.duration_s == pytest.approx(0.2, abs=0.15)  # a busy machine wakes us late
    assert second.throughput_rps == pytest.approx(len(second.latencies_ms) / second.duration_s)


def test_closed_loop_keeps_exactly_its_clients_busy() -> None:
    reply = Counting(parity_of, duration_s=0.02)
    with (
        answering(reply) as address,
        ClosedLoop(Server.at(address, CORPUS, LABELS), clients=5) as loop,
    ):
        load = loop.run(0.3)

    assert reply.most_inside == 5
    assert min(load.latencies_ms) >= 20.0
    assert load.throughput_rps <= 5 / 0.02


def test_ask_in_turn_labels_come_in_the_order_of_the_requests() -> None:
    with answering(parity_of) as address:
        load = ask_in_turn(Server.at(address, CORPUS, LABELS), 6)

    assert load.labels == ["even", "odd", "even", "odd", "even", "odd"]
    assert not load.failures


def test_closed_loop_refusals_and_wrong_labels_are_failures() -> None:
    replies: itertools.cycle[Reply] = itertools.cycle(
        [(503, {"title": "Overloaded"}), (200, {"label": "neither"}), (200, {"label": "odd"})]
    )
    with answering(lambda _: next(replies)) as address:
        load = ask_in_turn(Server.at(address, CORPUS, LABELS), 6)

    assert load.answers == 6
    assert load.labels == ["odd", "odd"]
    assert sorted(load.failures.values()) == [2, 2]
    assert any(what.startswith("status 503") and "Overloaded" in what for what in load.failures)


def test_closed_loop_connection_closed_is_a_failure_and_the_client_goes_on() -> None:
    replies: itertools.cycle[Reply] = itertools.cycle([None, (200, {"label": "odd"})])
    with answering(lambda _: next(replies)) as address:
        load = ask_in_turn(Server.at(address, CORPUS, LABELS), 4)

    assert load.labels == ["odd", "odd"]
    assert load.failures.total() == 2
    assert all(what.startswith("connection") for what in load.failures)


def test_closed_loop_nobody_listens_says_where() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        server = Server.at(taken.getsockname(), CORPUS, LABELS)
        with (
            pytest.raises(ServerUnreachableError, match=str(taken.getsockname()[1])),
            ClosedLoop(server, clients=2),
        ):
            pytest.fail("it connected")


def test_closed_loop_costs_little_cpu() -> None:
    photo = bytes(60_000)
    corpus = [Example(photo, "Text 1.", 4)]
    with (
        answering(Counting(parity_of, duration_s=0.01)) as address,
        ClosedLoop(Server.at(address, corpus, LABELS), clients=4) as loop,
    ):
        begun_s = time.thread_time()
        load = loop.run(0.5)
        used_ms = (time.thread_time() - begun_s) * 1e3

    # About 0.15 ms alone; here a server's threads compete for the interpreter and the caches.
    assert used_ms / load.answers < 1.5
