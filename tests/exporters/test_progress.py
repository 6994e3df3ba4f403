from __future__ import annotations

import pytest

from exporters.progress import progress


def test_progress_in_a_log_ends_with_one_line_that_counts_what_was_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress("Fitting", 100) as advance:
        for _ in range(40):
            advance(note="loss 1.0")
        advance(0, note="best loss 0.5")

    assert capsys.readouterr().err == "Fitting: 40/100  best loss 0.5\n"


def test_progress_interrupted_tells_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted_work() -> None:
        with progress("Encoding", 10) as advance:
            advance(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_work()

    assert capsys.readouterr().err == "Encoding: 3/10\n"
