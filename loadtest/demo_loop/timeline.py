"""What happened, when, and the picture of it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from exporters.atomic import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SERVED: Final = "served"
SHIFTED: Final = "shifted"
DRIFT: Final = "drift raised"
RETRAINED: Final = "retrained"
RAMPED: Final = "ramped"
QUIET: Final = "drift quiet"
ROLLED_BACK: Final = "rolled back"

_DRAWN: Final = (SHIFTED, DRIFT, RETRAINED, RAMPED, QUIET, ROLLED_BACK)
_ROLLING: Final = 60
_ROUNDING_S: Final = 0.05  # of an event's moment


@dataclass(frozen=True)
class Event:
    """Something that happened, in seconds since the first request."""

    at_s: float
    name: str
    detail: str


@dataclass(frozen=True)
class Answered:
    """One answer of the service, and whether it was right."""

    at_s: float
    variant: str
    is_right: bool


@dataclass
class Timeline:
    """Events as they come.

    Attributes:
        say: is told each at once.
        events: all so far.
        answers: all so far.
    """

    say: Callable[[str], None]
    events: list[Event] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def now_s(self) -> float:
        """Returns the seconds since the beginning."""
        return time.monotonic() - self._began

    def note(self, name: str, detail: str) -> None:
        """Adds an event and says it."""
        event = Event(round(self.now_s(), 1), name, detail)
        self.events.append(event)
        self.say(f"{event.at_s:7.1f} s  {name:<13}  {detail}")

    @classmethod
    def load(cls, file: Path, say: Callable[[str], None]) -> Timeline:
        """Reads what `save` wrote."""
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            say,
            [Event(**each) for each in content["events"]],
            [Answered(**each) for each in content["answers"]],
        )

    def save(self, folder: Path) -> None:
        """Writes `timeline.json` and `timeline.png`."""
        content = {
            "events": [asdict(each) for each in self.events],
            "answers": [asdict(each) for each in self.answers],
        }
        with atomic_file(folder / "timeline.json") as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        draw(self.events, self.answers, folder / "timeline.png")


def answered_before(answers: Sequence[Answered], event: Event) -> int:
    """Returns how many answers there were when something happened."""
    return sum(each.at_s <= event.at_s + _ROUNDING_S for each in answers)


def draw(events: Sequence[Event], answers: Sequence[Answered], file: Path) -> None:
    """Draws accuracy and who answered, answer by answer, with the events between them."""
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    accuracy, shares = figure.subplots(2, 1, sharex=True)
    places = {each.name: answered_before(answers, each) for each in events if each.name in _DRAWN}
    numbers = np.arange(1, len(answers) + 1)
    right = np.array([each.is_right for each in answers], float)
    window = np.ones(_ROLLING) / _ROLLING
    if len(answers) >= _ROLLING:
        accuracy.plot(numbers[_ROLLING - 1 :], np.convolve(right, window, "valid"), color="#1f5f8b")
    accuracy.set_title(f"Accuracy of the last {_ROLLING} answers", loc="left")
    for variant in dict.fromkeys(each.variant for each in answers):
        of_it = np.array([each.variant == variant for each in answers], float)
        if len(answers) >= _ROLLING:
            shares.plot(numbers[_ROLLING - 1 :], np.convolve(of_it, window, "valid"), label=variant)
    shares.set_title("Who answered them", loc="left")
    shares.legend(loc="center left", frameon=False)
    shares.set_xlabel("answers")
    for axes in (accuracy, shares):
        axes.set_ylim(-0.03, 1.05)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        for place in places.values():
            axes.axvline(place, color="#999999", linewidth=0.8)
    for name, place in places.items():
        accuracy.text(place, 0.02, f" {name}", rotation=90, fontsize=8, va="bottom")
    with atomic_file(file) as path:
        figure.savefig(path, dpi=110)
