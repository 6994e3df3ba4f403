from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.demo_loop.timeline import DRIFT, Answered, Timeline

if TYPE_CHECKING:
    from pathlib import Path


def test_timeline_says_each_event_and_leaves_json_and_a_picture(tmp_path: Path) -> None:
    said: list[str] = []
    answers = [Answered(number / 10, "demo", number % 2 == 0) for number in range(120)]
    timeline = Timeline(said.append, answers=answers)
    timeline.note(DRIFT, "text_embedding")
    timeline.save(tmp_path)

    assert "drift raised" in said[0]
    kept = Timeline.load(tmp_path / "timeline.json", said.append)
    assert (kept.events, kept.answers) == (timeline.events, answers)
    assert (tmp_path / "timeline.png").stat().st_size > 10_000
