from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.readme_tables import READMES, ROOT, TABLES, shown

if TYPE_CHECKING:
    from pathlib import Path


def _name(readme: Path) -> str:
    return str(readme.relative_to(ROOT))


@pytest.mark.parametrize("name", TABLES)
def test_readme_table_is_what_the_code_has(name: str) -> None:
    tables = [shown(readme.read_text(encoding="utf-8"), name) for readme in READMES]

    assert [table for table in tables if table is not None] == [TABLES[name]()], (
        "run: python -m tests.readme_tables"
    )


def _anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("readme", READMES, ids=_name)
def test_readme_links_lead_to_files_and_headings(readme: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", readme.read_text(encoding="utf-8"))
    targets = [(readme.parent / file if file else readme, anchor) for file, anchor in links]

    assert links
    assert [path for path, _ in targets if not path.exists()] == []
    assert [
        (path.name, anchor)
        for path, anchor in targets
        if anchor and path.suffix == ".md" and anchor not in _anchors(path)
    ] == []


@pytest.mark.parametrize("readme", READMES, ids=_name)
def test_readme_names_only_targets_of_the_makefile(readme: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", readme.read_text(encoding="utf-8"))) <= targets
