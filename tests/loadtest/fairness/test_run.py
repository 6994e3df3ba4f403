from __future__ import annotations

import threading

from loadtest.bench.corpus import Example
from loadtest.bench.load import Server
from loadtest.fairness.run import ClientFigures, FairnessFigures, judge
from loadtest.fairness.run import _as_client as as_client
from loadtest.overload.open_loop import OpenLoop, Reply, Stretch
from tests.loadtest.bench.answering_server import Reply as HttpReply
from tests.loadtest.bench.answering_server import answering

CORPUS = (Example(b"\xff\xd8 \r\n\r\n photo", "A text.", 4),)


def figures(modest: list[Reply]) -> FairnessFigures:
    client = ClientFigures.of(modest, duration_s=1.0)
    return FairnessFigures(10.0, client, client, client)


def test_client_figures_leave_out_the_settling_and_count_refusals_as_not_kept() -> None:
    early = [Reply(0.5, 0.0, 429)] * 5
    later = [Reply(1.5, 0.1, 200)] * 9 + [Reply(1.6, 0.01, 429)]
    client = ClientFigures.of(early + later, duration_s=1.0)
    assert (client.offered_rps, client.in_time_rps, client.kept_ratio) == (10, 9, 0.9)
    assert client.latency.count == 9


def test_judge_needs_both_a_low_p99_and_few_refusals() -> None:
    good = [Reply(1.5, 0.1, 200)] * 20
    assert [each.is_met for each in judge(figures(good))] == [True, True]
    refused = good + [Reply(1.5, 0.0, 429)] * 5
    assert [each.is_met for each in judge(figures(refused))] == [True, False]
    slow = [Reply(1.5, 0.6, 200)] * 20
    assert [each.is_met for each in judge(figures(slow))] == [False, False]


def test_clients_send_the_same_bodies_under_their_own_keys() -> None:
    bodies: list[bytes] = []
    lock = threading.Lock()

    def answer(body: bytes) -> HttpReply:
        with lock:
            bodies.append(body)
        return 200, {"label": "right"}

    with answering(answer) as address:
        plain = Server.at(address, CORPUS, ("right",))
        for server in (plain, as_client(plain, "a"), as_client(plain, "b")):
            with OpenLoop(server) as loop:
                assert {each.status for each in loop.run([Stretch(50.0, 0.1)])} == {200}
    assert len(set(bodies)) == 1
    assert b"X-Api-Key: a\r\n" in as_client(plain, "a").requests[0]
