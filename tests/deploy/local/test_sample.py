"""The sample against a real HTTP server that answers as it is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from deploy.local import sample
from deploy.local.errors import SampleError
from deploy.local.triton_server import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = b"\x89PNG not really"


class Recorder(HTTPServer):
    """Answers every POST alike and keeps what it was sent."""

    status = 200
    statuses_before: tuple[int, ...] = ()
    answer = b'{"label": "even"}'
    body = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        self.server.body = self.rfile.read(int(self.headers["Content-Length"]))
        status, *rest = (*self.server.statuses_before, self.server.status)
        self.server.statuses_before = tuple(rest[:-1])
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder(("127.0.0.1", 0), Handler) as recorder:
        thread = threading.Thread(target=recorder.serve_forever)
        thread.start()
        yield recorder
        recorder.shutdown()
        thread.join()


def write_sample(workspace: Path, text: str = "a cat", image: str = "cat.png") -> sample.Sample:
    folder = workspace / "samples" / "toy"
    folder.mkdir(parents=True)
    (folder / image).write_bytes(IMAGE)
    content = {"image": image, "text": text, "label": "animal"}
    (folder / "sample.json").write_text(json.dumps(content), encoding="utf-8")
    found = sample.find(workspace, "toy")
    assert found is not None
    return found


def test_find_sample_that_is_there_is_read(tmp_path: Path) -> None:
    found = write_sample(tmp_path)

    assert (found.text, found.label, found.variant) == ("a cat", "animal", "toy")
    assert found.image_path.is_absolute()
    assert found.image_path.read_bytes() == IMAGE


def test_classify_that_is_refused_for_now_tries_again(server: Recorder, tmp_path: Path) -> None:
    server.statuses_before = (504, 429)

    assert sample.classify(write_sample(tmp_path), server.url) == {"label": "even"}
    assert list(server.statuses_before) == []


def test_classify_that_is_refused_every_time_says_so(server: Recorder, tmp_path: Path) -> None:
    server.status = 503

    with pytest.raises(SampleError, match="503"):
        sample.classify(write_sample(tmp_path), server.url)


def test_find_sample_that_is_missing_or_broken_is_none(tmp_path: Path) -> None:
    write_sample(tmp_path).image_path.unlink()

    assert sample.find(tmp_path, "toy") is None
    (tmp_path / "samples" / "toy" / "sample.json").write_text("{")
    assert sample.find(tmp_path, "toy") is None
    assert sample.find(tmp_path, "other") is None


def test_classify_sends_image_and_text_and_returns_the_answer(
    tmp_path: Path, server: Recorder
) -> None:
    answer = sample.classify(write_sample(tmp_path), server.url)

    assert answer == {"label": "even"}
    assert IMAGE in server.body
    assert b"a cat" in server.body


def test_classify_refusal_tells_status_and_reason(tmp_path: Path, server: Recorder) -> None:
    server.status, server.answer = 422, b'{"detail": "the image is truncated"}'

    with pytest.raises(SampleError, match=r"422 .*the image is truncated"):
        sample.classify(write_sample(tmp_path), server.url)


def test_classify_nobody_listening_is_an_error_with_the_address(tmp_path: Path) -> None:
    [port] = free_ports(1)

    with pytest.raises(SampleError, match=f"127.0.0.1:{port}/v1/classify"):
        sample.classify(write_sample(tmp_path), f"http://127.0.0.1:{port}")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the program curl is not installed")
@pytest.mark.parametrize(
    ("text", "image"), [("a cat", "cat.png"), ('@it\'s a "te;st" $HOME', "a b,c;d'.png")]
)
def test_curl_line_pasted_into_a_shell_sends_the_same(
    tmp_path: Path, server: Recorder, text: str, image: str
) -> None:
    line = sample.curl_line(write_sample(tmp_path, text, image), server.url)

    output = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout

    assert output == server.answer
    assert IMAGE in server.body
    assert text.encode() in server.body


def test_classify_of_a_sample_with_labels_sends_each_of_them(
    tmp_path: Path, server: Recorder
) -> None:
    found = replace(write_sample(tmp_path), labels=("animal", "food & drink"))

    sample.classify(found, server.url)

    for label in found.labels:
        assert f'name="labels"\r\n\r\n{label}\r\n'.encode() in server.body
    assert "labels=food & drink" in sample.curl_line(found, server.url)
