"""The README's marked examples, so that tests run what a reader copies."""

from __future__ import annotations

import re

from tests.readme_tables import README


def example(language: str, mark: str) -> str:
    """Returns the fenced block that follows `<!-- example: mark -->`."""
    readme = README.read_text(encoding="utf-8")
    pattern = rf"<!-- example: {mark} -->\n```{language}\n(.*?)\n```"
    match = re.search(pattern, readme, re.DOTALL)
    assert match is not None
    return match.group(1)
