"""The open loop against a real HTTP server on loopback."""

from __future__ import annotations

import socket
import time

import pytest

from loadtest.bench.corpus import Example
from loadtest.bench.errors import ServerUnreachableError
from loadtest.bench.load import Server
from loadtest.overload.open_loop import NO_ANSWER, OpenLoop, Reply, Stretch, arrivals
from tests.loadtest.bench.answering_server import Reply as HttpReply
from tests.loadtest.bench.answering_server import answering

CORPUS = (Example(b"\xff\xd8 photo", "A text.", 4),)
LABELS = ("right",)
RIGHT: HttpReply = (200, {"label": "right"})


def run(reply: HttpReply, wait_s: float, *stretches: Stretch) -> list[Reply]:
    def answer(_body: bytes) -> HttpReply:
        time.sleep(wait_s)
        return reply

    with answering(answer) as address, OpenLoop(Server.at(address, CORPUS, LABELS)) as loop:
        return loop.run(stretches)


def test_arrivals_follow_the_rates_of_the_stretches_and_the_seed() -> None:
    stretches = (Stretch(1000.0, 2.0), Stretch(100.0, 2.0))
    due = list(arrivals(stretches, seed=0))
    assert due == sorted(due) == list(arrivals(stretches, seed=0))
    assert due != list(arrivals(stretches, seed=1))
    # 2000 and 200 expected; five standard deviations of a Poisson count.
    assert abs(sum(at_s < 2.0 for at_s in due) - 2000) < 5 * 2000**0.5
    assert abs(sum(at_s >= 2.0 for at_s in due) - 200) < 5 * 200**0.5


def test_open_loop_does_not_wait_for_answers() -> None:
    replies = run(RIGHT, 0.3, Stretch(100.0, 0.5))
    # Had each waited for the one before, 50 of them would have taken 15 s.
    assert len(replies) == len(list(arrivals([Stretch(100.0, 0.5)], seed=0)))
    assert {reply.status for reply in replies} == {200}
    assert all(0.3 <= reply.latency_s < 3.0 for reply in replies)


def test_open_loop_counts_refusals_wrong_answers_and_broken_connections() -> None:
    assert {each.status for each in run((429, {}), 0.0, Stretch(50.0, 0.3))} == {429}
    assert {each.status for each in run((200, {"label": "?"}), 0.0, Stretch(50.0, 0.3))} == {
        NO_ANSWER
    }
    assert {each.status for each in run(None, 0.0, Stretch(50.0, 0.3))} == {NO_ANSWER}


def test_open_loop_without_a_server_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()[:2]
    with (
        OpenLoop(Server.at(address, CORPUS, LABELS)) as loop,
        pytest.raises(ServerUnreachableError),
    ):
        loop.run([Stretch(100.0, 0.2)])
