"""Predicts when a request would be answered: the work before it over the rate at which work goes.

Little's law with live figures. Work is counted in seconds of service time, which the model steps
report with each answer, per variant and modality set. The rate is work done per second in which the
backend had any (bodies that still arrive are none), so it needs no load to be known, and it falls
while nothing comes out.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

_SMOOTHING: Final = 0.1  # of service times; ten answers make a new one
_FORGET_S: Final = 10.0
_MARKS: Final = 32  # of which the window consists


class WorkKind(NamedTuple):
    """What requests of about the same cost have in common.

    Attributes:
        variant: name of the variant.
        modalities: its modality set.
    """

    variant: str
    modalities: str


class ServiceTimes:
    """The live service time of each kind of work, in seconds."""

    def __init__(self) -> None:
        self._by_kind: dict[WorkKind, float] = {}
        self._mean_s: float | None = None

    def observe(self, kind: WorkKind, service_s: float) -> None:
        """Hears what one request of a kind took of the model steps' time."""
        self._by_kind[kind] = _smooth(self._by_kind.get(kind), service_s)
        self._mean_s = _smooth(self._mean_s, service_s)

    def expected_s(self, kind: WorkKind | None) -> float | None:
        """Returns the time of a kind, or of the mix while the kind is not known; None at first."""
        return self._mean_s if kind is None else self._by_kind.get(kind, self._mean_s)


class Throughput:
    """Work done per second of being busy, over a sliding window.

    A backend that computes in batches gives nothing for a while and then much at once. So the
    window ends with the last work that was done: what has passed since is no sign of slowness until
    it is longer than the longest pause in the window.

    Args:
        window_s: length of the window, in seconds of being busy.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        # Time of being busy and work done so far, at moments when work was done.
        self._marks: deque[tuple[float, float]] = deque([(0.0, 0.0)])
        self._pauses_s: deque[float] = deque()  # between each mark and the next
        self._pause_s = 0.0
        self._work_s = 0.0
        self._busy_s = 0.0
        self._at_s = 0.0

    def advance(self, now_s: float, *, is_busy: bool) -> None:
        """Lets time pass up to `now_s`, in which there was work or none."""
        if is_busy:
            self._busy_s += max(0.0, now_s - self._at_s)
        self._at_s = now_s

    def add(self, work_s: float) -> None:
        """Counts work that is done."""
        self._work_s += work_s
        marks, pauses_s = self._marks, self._pauses_s
        if len(marks) > 1 and self._busy_s - marks[-2][0] < self._window_s / _MARKS:
            marks.pop()
            pauses_s.pop()
        pauses_s.append(self._busy_s - marks[-1][0])
        marks.append((self._busy_s, self._work_s))
        while len(marks) > 2 and marks[1][0] < self._busy_s - self._window_s:
            marks.popleft()
            pauses_s.popleft()
        self._pause_s = max(pauses_s)

    @property
    def pause_s(self) -> float:
        """The longest pause between answers in the window, in seconds of being busy."""
        return self._pause_s

    @property
    def ratio(self) -> float | None:
        """Seconds of work done in a second; None until a quarter of the window is filled."""
        begun_s, before_s = self._marks[0]
        last_s, _ = self._marks[-1]
        spent_s = max(last_s, self._busy_s - self._pause_s) - begun_s
        if spent_s < self._window_s / 4:
            return None
        return (self._work_s - before_s) / spent_s


class Forecast:
    """What is in flight, what it costs, and how fast it goes. Pure: time is handed in.

    Args:
        budget_s: the service's own deadline, in seconds; so long is the window of the rate.
    """

    def __init__(self, budget_s: float) -> None:
        self._times = ServiceTimes()
        self._throughput = Throughput(budget_s)
        self._ahead_s = 0.0  # work of all that were let in and have not ended
        self._entered = 0
        self._started = 0
        self._learnt_s = -math.inf

    @property
    def pause_s(self) -> float:
        """The longest pause between answers of late, in seconds in which there was work."""
        return self._throughput.pause_s

    def work_s(self, kind: WorkKind | None) -> float:
        """Returns the expected service time of a request, in seconds; 0 while nothing is known."""
        return self._times.expected_s(kind) or 0.0

    def enter(self, work_s: float) -> None:
        """Adds work that is let in; it waits for its body."""
        self._entered += 1
        self._ahead_s += work_s

    def start(self, old_s: float, new_s: float, now_s: float) -> None:
        """Hears that a request goes to the backend, and what it really costs."""
        self._throughput.advance(now_s, is_busy=self._started > 0)
        self._started += 1
        self._ahead_s += new_s - old_s

    def relieve(self, work_s: float) -> None:
        """Takes out work that need not be done, of a request that stays."""
        self._ahead_s = max(0.0, self._ahead_s - work_s)

    def leave(self, work_s: float, now_s: float, *, has_started: bool) -> None:
        """Takes out work that has ended, done or not."""
        self._throughput.advance(now_s, is_busy=self._started > 0)
        self._started -= has_started
        self._entered -= 1
        # Sums of floats drift; an empty service has no work.
        self._ahead_s = max(0.0, self._ahead_s - work_s) if self._entered else 0.0

    def learn(self, kind: WorkKind, service_s: float, now_s: float) -> None:
        """Hears of a request that was answered, before it leaves."""
        self._throughput.advance(now_s, is_busy=True)
        # At the price at which such work is entered: while service times grow or shrink, what is
        # ahead and what goes must be counted alike.
        self._throughput.add(self.work_s(kind) or service_s)
        self._times.observe(kind, service_s)
        self._learnt_s = now_s

    def finish_s(self, work_s: float, now_s: float) -> float:
        """Predicts the time until more work would be done, in seconds; infinite in a standstill.

        An empty service answers in the service time alone: what its rate was in a bad spell must
        not keep it empty. Nor must an old service time: after ten seconds one request may try.
        """
        if self._entered == 0:
            return work_s if now_s - self._learnt_s < _FORGET_S else 0.0
        return self._drain_s(self._ahead_s + work_s, now_s)

    def backlog_s(self, now_s: float) -> float:
        """Predicts the time until all that is in flight is done, in seconds."""
        return self._drain_s(self._ahead_s, now_s)

    def _drain_s(self, work_s: float, now_s: float) -> float:
        self._throughput.advance(now_s, is_busy=self._started > 0)
        ratio = self._throughput.ratio
        if ratio is None or work_s == 0:
            return 0.0
        return work_s / ratio if ratio > 0 else math.inf


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + _SMOOTHING * (new - old)
