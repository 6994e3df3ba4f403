"""The demo asked by a few clients, then by many more than it can answer, then by few again."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx

from tests.conftest import DEMO, ROOT
from tests.deploy.observability.pictures.drawing import Told
from tests.deploy.observability.watched_stack import watched_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.deploy.observability.watchers import Watch

STRETCHES: Final = ((2, 30.0), (48, 30.0), (2, 30.0))
"""Clients at a time, and for how many seconds."""
_SETTLE_S: Final = 3.0  # for rates, which need two scrapes


@contextmanager
def watched_overload(repository: Path, folder: Path) -> Iterator[tuple[Watch, Told]]:
    """Runs the load, and yields who watched it and what happened.

    Args:
        repository: a model repository with the demo in it.
        folder: an empty one, for logs and data.
    """
    with watched_stack(repository, folder) as watched:
        began_s = time.time()
        time.sleep(_SETTLE_S)
        for clients, duration_s in STRETCHES:
            sys.stderr.write(f"{clients} clients for {duration_s:.0f} s\n")
            ask_for(watched.url, clients, duration_s)
        yield watched.watch, told(began_s)


def told(began_s: float) -> Told:
    """Says who asked when."""
    words, at_s = [], _SETTLE_S
    for clients, duration_s in STRETCHES:
        words.append(f"{clients} clients from {at_s:.0f} to {at_s + duration_s:.0f} s")
        at_s += duration_s
    busiest_s = _SETTLE_S + STRETCHES[0][1]
    return Told("; ".join(words), began_s, at_s, (busiest_s, busiest_s + STRETCHES[1][1]))


def ask_for(url: str, clients: int, duration_s: float) -> None:
    """Keeps so many clients asking."""
    sample_folder = ROOT / ".diptych" / "samples" / DEMO
    fields = json.loads((sample_folder / "sample.json").read_text(encoding="utf-8"))
    image = (sample_folder / fields["image"]).read_bytes()
    is_over = threading.Event()

    def keep_asking(client: int) -> None:
        number = 0
        with httpx.Client(base_url=url, timeout=30) as http:
            while not is_over.is_set():
                number += 1
                # Texts differ, or equal requests in flight would be one computation.
                text = f"{fields['text']} {client} {number}"
                files: dict[str, Any] = {"image": ("a.png", image), "text": (None, text)}
                answer = http.post("/v1/classify", files=files)
                is_over.wait(0.1 if answer.status_code == 429 else 0.02)

    with ThreadPoolExecutor(clients) as pool:
        for client in range(clients):
            pool.submit(keep_asking, client)
        try:
            time.sleep(duration_s)
        finally:
            is_over.set()
