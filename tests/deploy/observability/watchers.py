"""The real Prometheus, Alertmanager and node_exporter beside a stack, and a webhook that listens.

They read the files of deploy/observability, with what is a matter of place and pace replaced:
targets by free ports of this machine, and how often and how long by a second. The expressions of
rules, and so their windows, stay as they are.
"""

from __future__ import annotations

import json
import os
import re
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import yaml

from deploy.local.service import Endpoint, Launch, Service
from deploy.local.triton_server import free_ports
from deploy.tools import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OBSERVABILITY = Path(__file__).parents[3] / "deploy" / "observability"
HOST = "127.0.0.1"
_PATIENCE_S = 20.0


@dataclass(kw_only=True)
class Watcher(Service):
    """One program of many words and a port."""

    name: ClassVar[str] = "watcher"

    command: tuple[str, ...]
    port: int
    ready_path: str

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint({"HTTP": self.port}, HOST, self.port, self.ready_path)

    def launch(self) -> Launch:
        return Launch(self.command, dict(os.environ))


class Webhook:
    """Who is told of alerts: keeps what Alertmanager sends, by the path it sends it to."""

    def __init__(self) -> None:
        self.alerts: dict[str, list[dict[str, Any]]] = {}
        self._has_more = threading.Condition()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server's name
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()
                webhook.take(self.path, body["alerts"])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)

    def take(self, path: str, alerts: list[dict[str, Any]]) -> None:
        with self._has_more:
            self.alerts.setdefault(path, []).extend(alerts)
            self._has_more.notify_all()

    def wait_for(self, path: str, alert: str, timeout_s: float) -> dict[str, Any]:
        """Returns an alert's first notification."""

        def told() -> dict[str, Any] | None:
            every = self.alerts.get(path, [])
            return next((each for each in every if each["labels"]["alertname"] == alert), None)

        with self._has_more:
            assert self._has_more.wait_for(lambda: told() is not None, timeout_s), self.alerts
            notification = told()
            assert notification is not None
            return notification


@dataclass(frozen=True)
class Watch:
    """What runs beside the stack."""

    prometheus_url: str
    webhook: Webhook

    def ask(self, path: str, **parameters: str | float) -> list[dict[str, Any]]:
        """Asks Prometheus: `query` or `query_range`."""
        answer = httpx.get(f"{self.prometheus_url}/api/v1/{path}", params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result


def paced(rules: str, interval: str) -> str:
    """A file of rules that is worked through faster and waits shorter; expressions stay."""
    faster = re.sub(r"^(\s+)interval: \S+$", rf"\1interval: {interval}", rules, flags=re.MULTILINE)
    return re.sub(r"^(\s+)for: \S+$", rf"\1for: {interval}", faster, flags=re.MULTILINE)


@contextmanager
def running_watch(
    targets: Mapping[str, int], folder: Path, interval: str = "1s"
) -> Iterator[Watch]:
    """Starts all of them; yields when Prometheus has scraped every target.

    Args:
        targets: port of this machine by the job of prometheus.yml.
        folder: an empty one.
        interval: between scrapes, evaluations and notifications.
    """
    prometheus_port, alertmanager_port, node_port = free_ports(3)
    webhook = Webhook()
    jobs = {**targets, "diptych-shm": node_port}
    prometheus_config = _prometheus_config(folder, jobs, alertmanager_port, interval)
    alertmanager_config = _alertmanager_config(folder, webhook, interval)
    watchers = (
        Watcher(
            command=(
                str(program("prometheus-node-exporter")),
                "--collector.disable-defaults",
                "--collector.filesystem",
                # As docker-compose.yml has it.
                "--collector.filesystem.mount-points-exclude=^/(proc|sys|etc)($|/)",
                f"--web.listen-address={HOST}:{node_port}",
            ),
            port=node_port,
            ready_path="/",
            log_path=folder / "node-exporter.log",
        ),
        Watcher(
            command=(
                str(program("prometheus-alertmanager")),
                f"--config.file={alertmanager_config}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address={HOST}:{alertmanager_port}",
                "--cluster.listen-address=",
            ),
            port=alertmanager_port,
            ready_path="/-/ready",
            log_path=folder / "alertmanager.log",
        ),
        Watcher(
            command=(
                str(program("prometheus")),
                f"--config.file={prometheus_config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={HOST}:{prometheus_port}",
                # What fires before Alertmanager is found is sent again after this, not a minute.
                f"--rules.alert.resend-delay={interval}",
            ),
            port=prometheus_port,
            ready_path="/-/ready",
            log_path=folder / "prometheus.log",
        ),
    )
    with ExitStack() as started:
        thread = threading.Thread(target=webhook.server.serve_forever, args=(0.05,))
        thread.start()
        started.callback(thread.join)
        started.callback(webhook.server.server_close)
        started.callback(webhook.server.shutdown)
        for watcher in watchers:
            started.enter_context(watcher)
        yield Watch(f"http://{HOST}:{prometheus_port}", webhook)


def _prometheus_config(
    folder: Path, ports: Mapping[str, int], alertmanager_port: int, interval: str
) -> Path:
    config = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text(encoding="utf-8"))
    assert {job["job_name"] for job in config["scrape_configs"]} == set(ports)
    rules = folder / "rules"
    rules.mkdir()
    for path in (OBSERVABILITY / "rules").glob("*.yaml"):
        (rules / path.name).write_text(paced(path.read_text("utf-8"), interval), "utf-8")
    config["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    alertmanagers["static_configs"] = [{"targets": [f"{HOST}:{alertmanager_port}"]}]
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"{HOST}:{ports[job['job_name']]}"]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _alertmanager_config(folder: Path, webhook: Webhook, interval: str) -> Path:
    config = (OBSERVABILITY / "alertmanager.yml").read_text(encoding="utf-8")
    url = f"url: http://{HOST}:{webhook.server.server_port}/"
    # Debian's Alertmanager 0.25 knows no `url_file` for webhooks yet.
    config = config.replace("url_file: /run/secrets/", url)
    config = re.sub(r"group_(wait|interval): \S+", rf"group_\1: {interval}", config)
    path = folder / "alertmanager.yml"
    path.write_text(config, encoding="utf-8")
    return path
