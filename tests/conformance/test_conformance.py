"""A third of the families on the real Triton, and the committed table of all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exporters.encoders.families import IMAGE_FAMILIES, TEXT_FAMILIES
from tests.conformance.cases import CASES, EVERY_CASE, THIRDS, third, third_of_the_day
from tests.conformance.comparison import Comparison, compare
from tests.conformance.table import FILE, first_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

TODAY = third(int(os.environ.get("DIPTYCH_CONFORMANCE_THIRD", third_of_the_day())))


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Comparison]:
    compared = compare(TODAY, tmp_path_factory.mktemp("conformance"))
    return {each.case.name: each for each in compared}


@pytest.mark.e2e
@pytest.mark.parametrize("name", [case.name for case in TODAY])
def test_served_family_answers_what_transformers_says(
    comparisons: Mapping[str, Comparison], name: str
) -> None:
    assert comparisons[name].is_equal, comparisons[name]


def test_every_declared_family_has_two_cases() -> None:
    declared = [(family.model_type, "text") for family in TEXT_FAMILIES]
    declared += [(family.model_type, "image") for family in IMAGE_FAMILIES]

    compared = [(case.model_type, case.modality) for case in CASES]

    assert sorted(compared) == sorted(declared * 2)


def test_thirds_cover_every_case_once_with_texts_and_images_in_each() -> None:
    thirds = [third(number) for number in range(THIRDS)]

    assert sorted(case.name for part in thirds for case in part) == sorted(
        case.name for case in EVERY_CASE
    )
    assert all({case.modality for case in part} == {"text", "image"} for part in thirds)


def test_committed_table_says_equal_of_every_case() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in FILE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]

    said = {tuple(row[:3]): row[-1] for row in rows[2:]}

    assert said == {first_cells(case): "equal" for case in EVERY_CASE}
