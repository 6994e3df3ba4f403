from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.alternatives.brakes import NO_BRAKE, OWN, BrakeFigures, judge
from loadtest.alternatives.haproxy import HaProxy
from loadtest.bench.latencies import Percentiles


def figures(brake: str, multiple: int, ratio: float) -> BrakeFigures:
    return BrakeFigures(brake, multiple, ratio, Percentiles.of([100.0]), {"200": 1}, 0.0)


def test_judge_holds_the_gateway_against_the_best_limit_of_each_overload() -> None:
    measured = [
        figures(brake, multiple, ratio)
        for multiple, ratios in ((2, (1.2, 1.3, 0.5, 1.0)), (10, (0.9, 0.1, 1.0, 0.2)))
        for brake, ratio in zip((OWN, NO_BRAKE, "HAProxy, 8", "HAProxy, 64"), ratios, strict=True)
    ]

    verdicts = judge(measured)

    assert [each.figure for each in verdicts] == pytest.approx([1.2, 0.9])
    assert [each.is_met for each in verdicts] == [True, False]


def test_judge_without_a_proxy_says_nothing() -> None:
    assert judge([figures(OWN, 2, 1.0), figures(NO_BRAKE, 2, 0.1)]) == ()


def test_haproxy_is_told_the_limit_and_the_wait(tmp_path: Path) -> None:
    proxy = HaProxy(
        program=Path("/opt/haproxy"),
        port=8081,
        backend_port=8080,
        most_in_flight=16,
        queue_ms=250,
        log_path=tmp_path / "logs" / "haproxy.log",
    )

    command = proxy.launch().command

    config = Path(command[-1]).read_text(encoding="utf-8")
    assert command[0] == "/opt/haproxy"
    assert "server gateway 127.0.0.1:8080 maxconn 16\n" in config
    assert "timeout queue 250ms\n" in config
    assert "bind 127.0.0.1:8081\n" in config
