"""Shares of the places among clients: whoever asks for little gets it, and the rest is split.

Max-min fairness (Bertsekas and Gallager, Data Networks, 6.5.2): a client that wants less than an
equal part gets what it wants, and what that leaves is split among the others. What a client wants
is what it asks for, refused or not: the rate of its arrivals times the time that a request takes
(Little's law). Parts are in proportion to the clients' weights. A lone client has all places.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MEMORY_S: Final = 1.0
_FORGET_S: Final = 5.0
_MAX_CLIENTS: Final = 1024
_BURST: Final = 2.0  # times its mean wish is what a client's arrivals rarely exceed
_REFRESH_S: Final = 0.1


@dataclass(slots=True)
class _Client:
    in_flight: int = 0
    rate_rps: float = 0.0  # arrivals, with exponential forgetting
    seen_s: float = -math.inf
    weight: float = 1.0
    part: float = 1.0
    share: float = 1.0

    @property
    def overdraft(self) -> float:
        """What it holds above its equal part, in places."""
        return max(0.0, self.in_flight - max(1.0, self.part))


class ClientShares:
    """Who holds how many places, and who may have more. Pure: time is handed in."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, _Client] = OrderedDict()  # least recently seen first
        self._shared_s = -math.inf
        self._overdraft = 0.0

    @property
    def overdraft(self) -> float:
        """Places that clients hold above their equal parts: lent, or from before the limit fell."""
        return self._overdraft

    def note_arrival(
        self, name: str, limit: int, latency_s: float, now_s: float, *, weight: float = 1.0
    ) -> None:
        """Hears that a client asks for a place.

        Args:
            name: the client.
            limit: places there are.
            latency_s: how long one is held at the moment.
            now_s: now.
            weight: its part relative to that of others.
        """
        client = self._clients.get(name)
        if client is None:
            others = sum(each.weight for each in self._clients.values())
            part = limit * weight / (others + weight)
            client = _Client(part=part, share=part)
            self._clients[name] = client
        client.weight = weight
        self._clients.move_to_end(name)
        client.rate_rps = client.rate_rps * _decay(now_s - client.seen_s) + 1.0 / _MEMORY_S
        client.seen_s = now_s
        if now_s - self._shared_s >= _REFRESH_S:
            self._forget(now_s)
            self._share_out(limit, latency_s, now_s)
            self._shared_s = now_s

    def has_room(self, name: str, margin: float = 1.0) -> bool:
        """Whether a client that has asked holds less than its share, times a margin."""
        client = self._clients[name]
        return client.in_flight < margin * max(1.0, client.share)

    def is_entitled(self, name: str) -> bool:
        """Whether a client, one of several, holds less than its equal part."""
        client = self._clients[name]
        return len(self._clients) > 1 and client.in_flight < max(1.0, client.part)

    def move(self, name: str, change: int) -> None:
        """Counts places that a client takes or gives back."""
        if (client := self._clients.get(name)) is not None:
            self._overdraft -= client.overdraft
            client.in_flight += change
            self._overdraft += client.overdraft

    def _forget(self, now_s: float) -> None:
        for name, client in list(self._clients.items()):
            is_old = now_s - client.seen_s > _FORGET_S or len(self._clients) > _MAX_CLIENTS
            if not is_old:
                break
            if client.in_flight == 0:
                del self._clients[name]

    def _share_out(self, limit: int, latency_s: float, now_s: float) -> None:
        wishes = sorted(
            (
                (_BURST * each.rate_rps * _decay(now_s - each.seen_s) * latency_s + 1.0)
                / each.weight,
                index,
                each,
            )
            for index, each in enumerate(self._clients.values())
        )
        left = float(limit)
        left_weight = weights = sum(each.weight for _, _, each in wishes)
        for wish, _, client in wishes:
            unit = left / left_weight
            client.share = unit * client.weight  # of the one who wants most: all that is left
            left -= min(wish, unit) * client.weight
            left_weight -= client.weight
            client.part = limit * client.weight / weights
        self._overdraft = sum(each.overdraft for each in self._clients.values())


def _decay(elapsed_s: float) -> float:
    return math.exp(-elapsed_s / _MEMORY_S)
