"""The READMEs' marked examples, so that tests run what a reader copies."""

from __future__ import annotations

import re

from tests.readme_tables import READMES


def example(language: str, mark: str) -> str:
    """Returns the fenced block that follows `<!-- example: mark -->`, which only one README has."""
    pattern = rf"<!-- example: {mark} -->\n```{language}\n(.*?)\n```"
    texts = (readme.read_text(encoding="utf-8") for readme in READMES)
    (found,) = (match for text in texts for match in re.findall(pattern, text, re.DOTALL))
    return str(found)
