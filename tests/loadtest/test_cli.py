"""What `python -m loadtest` says of itself."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from loadtest.cli import app


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("tune", "recipe's [target] and values"),  # brackets are no style
        ("run", "An API key is read from the environment: DIPTYCH_API_KEY."),  # lines are joined
    ],
)
def test_help_is_shown_as_it_is_written(command: str, words: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout

    assert words in told
