from __future__ import annotations

from pathlib import Path

from loadtest.alternatives.haproxy import HaProxy


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
