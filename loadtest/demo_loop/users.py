"""Simulated users: they send held-out examples, and say later what was true.

After the shift a new client attaches to each image a caption about other things, so that what the
text says is no longer what the image shows.
"""

from __future__ import annotations

import heapq
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from loadtest.demo_loop.timeline import Answered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from exporters.data import Example
    from loadtest.demo_loop.timeline import Timeline

_AT_ONCE: Final = 4
_BATCH: Final = 100
_LATEST_LABEL_S: Final = 6.0


@dataclass
class Users:
    """Users of one service.

    Attributes:
        http: a client of the gateway, with a key.
        examples: held-out ones, which they send.
        words: names of other things, for captions after the shift.
        timeline: what was answered goes there.
        seed: of what they send and when they label.
        has_shifted: whether captions are of other things.
    """

    http: httpx.Client
    examples: Sequence[Example]
    words: Sequence[str]
    timeline: Timeline
    seed: int
    has_shifted: bool = False
    _sent: int = 0
    _waiting: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def send(self, count: int) -> None:
        """Sends requests, and the labels that have become due."""
        requests = [self._draw() for _ in range(count)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(lambda each: self._ask(*each), requests))
        for (example, _, number), answer in zip(requests, answers, strict=True):
            self.timeline.answers.append(
                Answered(
                    round(self.timeline.now_s(), 2),
                    answer["variant"],
                    answer["label"] == example.label,
                )
            )
            due = self.timeline.now_s() + self._rng.uniform(0, _LATEST_LABEL_S)
            item = {"prediction_id": answer["prediction_id"], "label": example.label}
            heapq.heappush(self._waiting, (due, number, item))
        self.label(self.timeline.now_s())

    def label(self, until_s: float = float("inf")) -> None:
        """Sends the labels that are due; without a moment, all that are still to come."""
        while self._waiting and self._waiting[0][0] <= until_s:
            items: list[dict[str, Any]] = []
            while self._waiting and self._waiting[0][0] <= until_s and len(items) < _BATCH:
                items.append(heapq.heappop(self._waiting)[2])
            self.http.post("/v1/feedback:batch", json={"items": items}).raise_for_status()

    def _draw(self) -> tuple[Example, str, int]:
        self._sent += 1
        example = self.examples[int(self._rng.integers(len(self.examples)))]
        others = self._rng.choice(len(self.words), 2)
        number = int(self._rng.integers(1000, 10_000))
        caption = f"sent from my phone: {', '.join(self.words[each] for each in others)}, {number}"
        return example, caption if self.has_shifted else example.text, self._sent

    def _ask(self, example: Example, text: str, number: int) -> dict[str, Any]:
        answer = self.http.post(
            "/v1/classify",
            files={"image": example.image.read_bytes()},
            data={"text": text},
            headers={"Diptych-Unit": f"user-{number}"},
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
