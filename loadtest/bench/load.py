"""What goes out under load, and what comes back: the two ends of `load_client`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from loadtest.bench.http_messages import multipart_request

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from loadtest.bench.corpus import Example


@dataclass(frozen=True)
class Server:
    """Where the load goes and what must come back.

    Attributes:
        address: host and port.
        requests: whole HTTP requests, sent in turn.
        labels: what a right answer may say.
    """

    address: tuple[str, int]
    requests: Sequence[bytes]
    labels: Collection[str]

    @classmethod
    def at(
        cls, address: tuple[str, int], corpus: Sequence[Example], labels: Collection[str]
    ) -> Self:
        """Builds the requests of a corpus for a server."""
        host = f"{address[0]}:{address[1]}"
        requests = tuple(multipart_request(example, host) for example in corpus)
        return cls(address, requests, frozenset(labels))


@dataclass
class Load:
    """What came back in one stretch of time.

    Attributes:
        duration_s: how long it was.
        latencies_ms: of the right answers, in the order they came.
        labels: what they said, in the same order.
        failures: everything else, by what it was, with how often.
    """

    duration_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def answers(self) -> int:
        """How many came, right or wrong."""
        return len(self.latencies_ms) + self.failures.total()

    @property
    def throughput_rps(self) -> float:
        """Right answers a second."""
        return len(self.latencies_ms) / self.duration_s
