"""Keeps requests from a server that fails, and lets it prove itself before it is trusted again.

The circuit breaker of Nygard ("Release It!", 2007) with the back-off of Envoy's outlier detection:
open for a time that doubles with each ejection in a row, then half open, in which one request at a
time tries the server, then closed. Pure: time is handed in.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

_FIRST_OPEN_S: Final = 0.5
_MAX_OPEN_S: Final = 5.0  # a server that is well again is found within it
_CALM_S: Final = 30.0  # closed for so long, what was before is forgotten
_TRIALS: Final = 2  # that must succeed in a row before it closes


class BreakerState(StrEnum):
    """What a breaker does with requests."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """The breaker of one server."""

    def __init__(self) -> None:
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._trips = 0
        self._until_s = 0.0
        self._closed_s = 0.0
        self._trials_passed = 0
        self._has_trial = False

    @property
    def failures(self) -> int:
        """Requests that failed in a row, while it is closed."""
        return self._failures

    def state(self, now_s: float) -> BreakerState:
        """Returns what it does now; an open one becomes half open when its time is over."""
        if self._state is BreakerState.OPEN and now_s >= self._until_s:
            self._state = BreakerState.HALF_OPEN
            self._trials_passed, self._has_trial = 0, False
        return self._state

    def has_room(self, now_s: float) -> bool:
        """Whether a request may be sent now."""
        state = self.state(now_s)
        return state is BreakerState.CLOSED or (
            state is BreakerState.HALF_OPEN and not self._has_trial
        )

    def begin(self, now_s: float) -> bool:
        """Hears that a request is sent. Returns whether it is a trial; `end` wants to know."""
        is_trial = self.state(now_s) is BreakerState.HALF_OPEN
        self._has_trial = self._has_trial or is_trial
        return is_trial

    def end(self, now_s: float, *, is_trial: bool, has_succeeded: bool | None) -> None:
        """Hears how a request ended.

        Args:
            now_s: now.
            is_trial: what `begin` said.
            has_succeeded: None when it says nothing of the server: it was cancelled, or the fault
                was the caller's.
        """
        state = self.state(now_s)
        if state is BreakerState.HALF_OPEN and is_trial:
            self._has_trial = False
            if has_succeeded is False:
                self.trip(now_s)
            elif has_succeeded:
                self._trials_passed += 1
                if self._trials_passed >= _TRIALS:
                    self._close(now_s)
        elif state is BreakerState.CLOSED and has_succeeded is not None:
            # What was sent before it opened says nothing new, so only a closed one counts.
            self._failures = 0 if has_succeeded else self._failures + 1

    def trip(self, now_s: float) -> None:
        """Opens it."""
        if self._state is BreakerState.CLOSED and now_s - self._closed_s > _CALM_S:
            self._trips = 0
        self._until_s = now_s + min(_MAX_OPEN_S, _FIRST_OPEN_S * 2**self._trips)
        self._trips += 1
        self._failures = 0
        self._state = BreakerState.OPEN

    def try_now(self) -> None:
        """Ends the wait of an open one: something else has shown that the server is back."""
        self._until_s = 0.0

    def _close(self, now_s: float) -> None:
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._closed_s = now_s
