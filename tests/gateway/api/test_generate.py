from __future__ import annotations

from pathlib import Path

from gateway.api.proto.generate import generate

ROOT = Path(__file__).parents[3]


def test_generate_gives_the_stubs_in_the_repository(tmp_path: Path) -> None:
    made = generate(tmp_path)
    assert made
    for file in made:
        committed = ROOT / file.relative_to(tmp_path)
        assert committed.read_text() == file.read_text()
