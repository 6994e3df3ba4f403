"""Windows of traffic, each judged when its time is up; the newest judgement is in the metrics.

Windows tumble: one for each digest of a variant and modality set, of a length of time and of a most
number of items, which are drawn evenly over that time. One with too few items goes on until it has
enough: a judgement on a handful would need a shift that nobody could miss. Of a variant that lost
its traffic the last judgement is taken back: it says nothing of today.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gateway.contract.drift.window import DriftTests, Finding, WatchedItem
    from gateway.contract.manifest import ModalitySet
    from gateway.telemetry.drift_metrics import DriftMetrics

_LOG: Final = logging.getLogger(__name__)

FALSE_ALARM: Final = 1e-4
"""Probability that a window of unchanged traffic shows drift of any kind, over all workers. With
windows of ten minutes and three modality sets that is one false alarm in 23 days."""

LEAST_ITEMS: Final = 100
SILENT_WINDOWS: Final = 3
"""Windows without a single answer, after which the last judgement says nothing of today."""

_MARGIN: Final = 1.2  # drawn beyond what a window holds, as the rate of requests changes


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """How long a window is.

    Attributes:
        items: most items of one; 0: nothing is watched.
        seconds: after which it is judged.
        false_alarm: of one window.
    """

    items: int
    seconds: float
    false_alarm: float


class Stream(NamedTuple):
    """The traffic of one window after the other.

    Attributes:
        variant: its name.
        digest: of the variant.
        modalities: the inputs of its requests.
    """

    variant: str
    digest: str
    modalities: ModalitySet


@dataclass(slots=True)
class _Window:
    opened_s: float
    items: list[WatchedItem] = field(default_factory=list)


@dataclass(slots=True)
class _Pace:
    """Draws about as many answers of a window's time as it holds.

    It goes by the number of the window before, and after the least number of items it draws no
    faster than time passes: of the first window nothing is known, and a busy service would pay for
    the features of every answer just when it starts, and judge its first seconds alone.
    """

    opened_s: float
    seen: int = 0
    drawn: int = 0
    ratio: float = 1.0


class DriftWatch:
    """All windows of one process.

    `draw` belongs to the event loop, `add` and `tick` to the thread that works through what was
    drawn; `keep` may come from either.

    Args:
        policy: of all windows.
        metrics: where judgements are shown.
        clock: reads seconds, as `time.monotonic` does.
        random: draws from 0 to 1.
    """

    def __init__(
        self,
        policy: WindowPolicy,
        metrics: DriftMetrics,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._tests: dict[str, DriftTests] = {}
        self._paces: dict[Stream, _Pace] = {}
        self._windows: dict[Stream, _Window] = {}
        self._judged: dict[Stream, tuple[Finding, ...]] = {}
        self._drifting: set[tuple[Stream, str, str]] = set()

    def tests(self, digest: str) -> DriftTests | None:
        """Returns the tests of a variant's digest, or None where there is no reference."""
        with self._lock:
            return self._tests.get(digest)

    def learn(self, digest: str, tests: DriftTests) -> None:
        """Begins to watch a digest."""
        with self._lock:
            self._tests[digest] = tests

    def keep(self, digests: Collection[str]) -> None:
        """Forgets all other digests: they are no longer served."""
        with self._lock:
            self._tests = {each: tests for each, tests in self._tests.items() if each in digests}
            for kept in (self._paces, self._windows):
                for gone in [each for each in kept if each.digest not in digests]:
                    del kept[gone]
            silent = [each for each in self._judged if each.digest not in digests]
        for each in silent:
            self._take_back(each)

    def draw(self, stream: Stream) -> bool:
        """Draws whether the next answer goes into a window."""
        if not self._policy.items or self.tests(stream.digest) is None:
            return False
        now_s, most = self._clock(), _MARGIN * self._policy.items
        pace = self._paces.setdefault(stream, _Pace(now_s))
        if now_s - pace.opened_s >= self._policy.seconds:
            pace.ratio = min(1.0, most / pace.seen)
            pace.opened_s, pace.seen, pace.drawn = now_s, 0, 0
        pace.seen += 1
        least = min(LEAST_ITEMS, most)
        elapsed_ratio = (now_s - pace.opened_s) / self._policy.seconds
        has_room = pace.drawn < least + (most - least) * elapsed_ratio
        if not has_room or self._random() >= pace.ratio:
            return False
        pace.drawn += 1
        return True

    def add(self, stream: Stream, item: WatchedItem) -> None:
        """Puts an answer that was drawn into its window; one that is full passes it over."""
        window = self._windows.setdefault(stream, _Window(self._clock()))
        if len(window.items) < self._policy.items:
            window.items.append(item)
            self._metrics.count_item(stream.variant, stream.modalities)

    def tick(self) -> None:
        """Judges the windows whose time is up."""
        now_s = self._clock()
        for stream, window in list(self._windows.items()):
            age_s = now_s - window.opened_s
            if not window.items and age_s >= SILENT_WINDOWS * self._policy.seconds:
                self._take_back(stream)
            is_due = age_s >= self._policy.seconds
            if is_due and len(window.items) >= LEAST_ITEMS:
                self._windows[stream] = _Window(now_s)
                self._judge(stream, window.items)

    def _judge(self, stream: Stream, items: list[WatchedItem]) -> None:
        tests = self.tests(stream.digest)
        if tests is None:
            return
        findings = tests.judge(items, stream.modalities, self._policy.false_alarm)
        self._judged[stream] = findings
        self._metrics.show_window(stream.variant, stream.modalities, findings)
        for finding in findings:
            self._tell(stream, finding, len(items))

    def _take_back(self, stream: Stream) -> None:
        findings = self._judged.pop(stream, ())
        shown = {(each.variant, each.modalities) for each in list(self._judged)}
        if (stream.variant, stream.modalities) not in shown:  # by another digest of the variant
            self._metrics.take_back(stream.variant, stream.modalities, findings)
        for finding in findings:
            self._tell(stream, replace(finding, statistic=0.0), 0)

    def _tell(self, stream: Stream, finding: Finding, items: int) -> None:
        """Logs where drift of a kind begins and where it ends."""
        key = stream, finding.kind, finding.task
        if finding.is_drifting is (key in self._drifting):
            return
        if finding.is_drifting:
            self._drifting.add(key)
        else:
            self._drifting.discard(key)
        log_event(
            _LOG,
            logging.WARNING if finding.is_drifting else logging.INFO,
            "drift_found" if finding.is_drifting else "drift_over",
            variant=stream.variant,
            digest=stream.digest,
            modalities=stream.modalities,
            kind=finding.kind,
            task=finding.task or None,
            property=finding.worst,
            statistic=round(finding.statistic, 4),
            threshold=round(finding.threshold, 4),
            items=items,
        )
