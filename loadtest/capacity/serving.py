"""Triton in a simulation: steps with instances and dynamic batches, and a replica made of them.

The batcher does as Triton's (`dynamic_batching` without preferred sizes): a free instance takes
what waits, up to the largest batch, at once when the batch is full or nothing may be waited for,
else when the oldest has waited `max_queue_delay`. A batch that finds its instance idle takes longer
than one behind the other: by its waking, of which a fifth is left where all cores are busy.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.admission.batch_times import Batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.capacity.cores import Cores
    from loadtest.capacity.events import Events
    from loadtest.capacity.profile import Profile, StepProfile

_MS: Final = 1000.0
_WAKE_RATIO_BESIDE_BUSY: Final = 0.2  # measured: decision 2


@dataclass(slots=True)
class Job:
    """One request within a replica.

    Attributes:
        done: called at its end with this job.
        waiting_for: branches that are not finished.
        service_s: its part of the steps' time so far.
        batch: the one that it was in, of several the one that took longest.
    """

    done: Callable[[Job], None]
    waiting_for: int = 0
    service_s: float = 0.0
    batch: Batch | None = None


class Step:
    """One model of one Triton."""

    def __init__(
        self,
        profile: StepProfile,
        events: Events,
        cores: Cores | None,
        chance: Random,
        done: Callable[[Job], None],
    ) -> None:
        """Makes it idle.

        Args:
            profile: of the step.
            events: of the simulation.
            cores: that it computes on; None: on a device of its own.
            chance: draws service times.
            done: hears of each request that leaves it.
        """
        self._profile = profile
        self._cores = cores
        self._events = events
        self._chance = chance
        self._done = done
        self._queue: deque[tuple[float, Job]] = deque()
        self._free = profile.instances
        self._delay_s = profile.delay_ms / _MS
        sizes = range(1, profile.max_batch + 1)
        self._batch_s = [0.0, *(profile.batch_ms(size) / _MS for size in sizes)]
        self._wake_s = profile.wake_ms / _MS

    def enter(self, job: Job) -> None:
        """Takes a request into the queue."""
        self._queue.append((self._events.now_s, job))
        self._wake()

    def _wake(self) -> None:
        """Lets instances that had nothing to do begin."""
        has_slept = self._cores is None or self._cores.has_idle
        self._dispatch(self._wake_s * (1.0 if has_slept else _WAKE_RATIO_BESIDE_BUSY))

    def _dispatch(self, wake_s: float) -> None:
        most = self._profile.max_batch
        while self._free and self._queue:
            ripe_s = self._queue[0][0] + self._delay_s
            if len(self._queue) < most and self._events.now_s < ripe_s:
                self._events.at(ripe_s, self._wake)
                return
            jobs = [self._queue.popleft()[1] for _ in range(min(most, len(self._queue)))]
            self._free -= 1
            service_s = wake_s + self._service_s(len(jobs))
            finish = _Finish(self, jobs, self._events.now_s)
            if self._cores is None:
                self._events.at(self._events.now_s + service_s, finish)
            else:
                self._cores.run(service_s, finish)

    def _service_s(self, size: int) -> float:
        mean_s = self._batch_s[size]
        if not (variation := self._profile.variation) or not mean_s:
            return mean_s
        # Of a gamma distribution: 1 is the exponential one. A batch of n is a sum of n times.
        shape = size * variation**-2
        return self._chance.gammavariate(shape, mean_s / shape)

    def finish(self, jobs: list[Job], begun_s: float) -> None:
        """Hears that a batch is done."""
        self._free += 1
        service_s = self._events.now_s - begun_s
        batch = Batch(service_s, len(jobs))
        for job in jobs:
            job.service_s += service_s / len(jobs)
            if job.batch is None or job.batch.time_s < service_s:
                job.batch = batch
            self._done(job)
        self._dispatch(0.0)


@dataclass(slots=True)
class _Finish:
    step: Step
    jobs: list[Job]
    begun_s: float

    def __call__(self) -> None:
        self.step.finish(self.jobs, self.begun_s)


@dataclass
class Replica:
    """One Triton with all steps of the variant.

    Attributes:
        cores: that its steps share; None: none.
        in_flight: requests inside.
        is_up: whether it is asked.
    """

    profile: Profile
    events: Events
    chance: Random
    cores: Cores | None = None
    in_flight: int = 0
    is_up: bool = True
    _branches: list[Step] = field(default_factory=list)
    _head: Step | None = None

    def __post_init__(self) -> None:
        make = (self.events, self.cores, self.chance)
        self._branches = [Step(each, *make, self._join) for each in self.profile.branches]
        if self.profile.head is not None:
            self._head = Step(self.profile.head, *make, self._end)

    def enter(self, done: Callable[[Job], None]) -> None:
        """Takes a request; `done` is called at its end, if the replica lives."""
        job = Job(done, waiting_for=len(self._branches))
        self.in_flight += 1
        for branch in self._branches:
            branch.enter(job)

    def _join(self, job: Job) -> None:
        job.waiting_for -= 1
        if job.waiting_for == 0:
            if self._head is None:
                self._end(job)
            else:
                self._head.enter(job)

    def _end(self, job: Job) -> None:
        self.in_flight -= 1
        if self.is_up:
            job.done(job)
