"""What was acknowledged is there after `kill -9` of the gateway or of the database, under load."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Self

import pytest
from sqlalchemy import select

from deploy.local.triton_server import free_ports
from gateway.contract.manifest import ModalitySet
from gateway.receipts.keys_file import read_receipt_keys
from gateway.receipts.ring import ReceiptRing
from gateway.storage.engine import make_engine
from gateway.storage.tables import Feedback
from tests.gateway.receipts.receipts import make_receipt, write_keys
from tests.gateway.storage.databases import migrate, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.storage.databases import Postgresql

CLIENTS = 12
AT_WORK = 60
"""Labels that are acknowledged before each kill."""


@dataclass
class Load:
    """Clients that give feedback, one label after the other, and note what was acknowledged.

    Threads with a connection for each label: a connection that the kill cuts off leaves nothing
    open here.
    """

    port: int
    ring: ReceiptRing
    acknowledged: set[str] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    is_over: bool = False

    def __enter__(self) -> Self:
        self._clients = [threading.Thread(target=self._give_all) for _ in range(CLIENTS)]
        for each in self._clients:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        for each in self._clients:
            each.join()

    def wait_for_more(self) -> None:
        """Waits until it is well under way, from here on; how soon, the machine says."""
        wanted, give_up_s = len(self.acknowledged) + AT_WORK, time.monotonic() + 30
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < give_up_s
            time.sleep(0.02)

    def _give_all(self) -> None:
        while not self.is_over:
            signed = self.ring.sign(make_receipt(issued_at=_now(), modalities=ModalitySet.TEXT))
            connection = HTTPConnection("127.0.0.1", self.port, timeout=8)
            try:
                body = json.dumps({"prediction_id": signed.text, "label": "Objects"})
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/v1/feedback", body, headers)
                status = connection.getresponse().status
            except (OSError, HTTPException):  # it was killed: nothing was acknowledged
                time.sleep(0.05)
                continue
            finally:
                connection.close()
            if status == 200:
                self.acknowledged.add(signed.key)
            else:
                self.refused.add(status)
                time.sleep(0.05)


def _now() -> datetime:
    return datetime.now(UTC)


class Gateway:
    """`python -m gateway` on a port, started again after each kill; its Triton is away."""

    def __init__(self, database_url: str, keys_file: Path) -> None:
        self.port, grpc_port = free_ports(2)
        settings = {
            "http_port": self.port,
            "grpc_port": grpc_port,
            "triton_grpc_url": "127.0.0.1:9",
            "database_url": database_url,
            "receipt_keys_file": keys_file,
            "log_level": "ERROR",
            "drain_delay_s": 0,
        }
        self._environment = {
            **os.environ,
            **{f"DIPTYCH_GATEWAY_{name.upper()}": str(each) for name, each in settings.items()},
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            (sys.executable, "-m", "gateway"), env=self._environment, stdout=subprocess.DEVNULL
        )

    def wait(self) -> None:
        give_up_s = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < give_up_s
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path)


def stored(database_url: str) -> set[str]:
    engine = make_engine(database_url)
    with engine.connect() as connection:
        keys = set(connection.scalars(select(Feedback.prediction_key)))
    engine.dispose()
    return keys


def test_kill_of_the_gateway_with_sqlite_in_it_loses_nothing_acknowledged(
    tmp_path: Path, keys_file: Path
) -> None:
    url = sqlite_url(tmp_path)
    gateway = Gateway(url, keys_file)
    try:
        gateway.wait()
        with Load(gateway.port, ReceiptRing(read_receipt_keys(keys_file))) as load:
            for _ in range(2):
                load.wait_for_more()
                gateway.kill()
                gateway.start()
                gateway.wait()
    finally:
        gateway.kill()
    assert load.acknowledged - stored(url) == set()
    assert load.refused == set()


def test_kill_of_the_database_and_then_of_both_loses_nothing_acknowledged(
    postgresql: Postgresql, keys_file: Path
) -> None:
    url = postgresql.new_database()
    migrate(url)
    gateway = Gateway(url, keys_file)
    try:
        gateway.wait()
        with Load(gateway.port, ReceiptRing(read_receipt_keys(keys_file))) as load:
            load.wait_for_more()
            postgresql.kill()
            postgresql.revive()
            load.wait_for_more()
            gateway.kill()
            postgresql.kill()
            postgresql.revive()
            gateway.start()
            gateway.wait()
            load.wait_for_more()
    finally:
        gateway.kill()
    assert load.acknowledged - stored(url) == set()
    assert load.refused == {503}
