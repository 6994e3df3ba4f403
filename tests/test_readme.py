from __future__ import annotations

import re

import pytest

from tests.readme_tables import README, TABLES, shown

TEXT = README.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_readme_table_is_what_the_code_has(name: str) -> None:
    assert shown(TEXT, name) == TABLES[name](), "run: python -m tests.readme_tables"


def test_readme_links_lead_to_files() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)\)", TEXT)

    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_readme_names_only_targets_of_the_makefile() -> None:
    makefile = README.with_name("Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", TEXT)) <= targets
