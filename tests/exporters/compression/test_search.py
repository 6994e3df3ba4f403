"""A search over a handful of candidates for small encoders."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporters.compression import compress
from exporters.compression.search import CANDIDATES, Search, pareto_front, search
from exporters.compression.search_report import verdict, write_search_report
from exporters.compression.side import Side
from exporters.compression.step import parse_steps

if TYPE_CHECKING:
    from exporters.training import TrainedVariant
    from exporters.workspace import Workspace

FEW = {
    Side.TEXT: ((), ("int8",), ("prune-structure:epochs=0", "int8:sensitivity=0")),
    Side.IMAGE: ((), ("int8",), ("low-rank:energy=1",)),
}


@pytest.fixture(scope="module")
def found(variant: TrainedVariant, workspace: Workspace) -> Search:
    return search(variant, 0.02, workspace, FEW)


def test_search_tries_every_pair_and_says_what_a_family_does_not_take(found: Search) -> None:
    kept = [point for point in found.points if not point.has_refitted_head]

    assert len(kept) == 3 * 2
    [reason] = found.left_out
    assert reason.startswith("image, low-rank:energy=1: none of the image encoder's")


def test_search_chooses_the_quickest_that_loses_no_more_than_allowed(found: Search) -> None:
    allowed = [point for point in found.points if point.is_within(0.02)]

    assert found.chosen in allowed
    assert found.chosen.encode_ms == min(point.encode_ms for point in allowed)


def test_search_judges_by_the_validation_split(found: Search, variant: TrainedVariant) -> None:
    examples = {cost.examples for point in found.points for cost in point.costs.values()}

    assert examples == {len(variant.split.validation)}
    assert found.original.loss == 0


def test_search_that_may_lose_nothing_always_finds_the_original(
    variant: TrainedVariant, workspace: Workspace
) -> None:
    only = {Side.TEXT: ((),), Side.IMAGE: ((),)}

    alone = search(variant, 0.0, workspace, only)

    assert alone.chosen.steps == ()


def test_pareto_front_has_no_point_that_another_beats(found: Search) -> None:
    front = pareto_front(found.points)

    assert [point.encode_ms for point in front] == sorted(point.encode_ms for point in front)
    for point in front:
        beaten_by = [
            other
            for other in found.points
            if other.encode_ms <= point.encode_ms and other.loss < point.loss
        ]
        assert not beaten_by


def test_report_of_a_search_tells_how_many_were_tried_and_what_held_out_says(
    found: Search, variant: TrainedVariant, workspace: Workspace
) -> None:
    compressed = compress(
        variant,
        found.chosen.steps,
        workspace,
        name="shapes-within-2",
        is_head_refitted=found.chosen.has_refitted_head,
    )

    report = write_search_report(found, compressed)

    text = report.read_text(encoding="utf-8")
    assert f"{len(found.points)} of {found.possible} points were tried" in text
    assert verdict(found, compressed) in text
    assert (report.parent / "search.png").stat().st_size > 10_000
    assert (report.parent / "search.json").is_file()


def test_steps_of_a_point_make_the_same_encoders(found: Search) -> None:
    point = replace(found.chosen)

    written = [str(step) for step in point.steps]

    assert parse_steps(written) == point.steps


def test_search_without_training_leaves_out_what_trains(
    variant: TrainedVariant, workspace: Workspace
) -> None:
    candidates = {Side.TEXT: ((), ("int8",), ("distil", "int8")), Side.IMAGE: ((),)}

    quick = search(variant, 0.02, workspace, candidates, has_training=False)

    names = {point.encoders[Side.TEXT].name for point in quick.points}
    assert names == {"original", "int8"}


@pytest.mark.parametrize("side", list(Side))
def test_candidates_are_steps_that_can_be_read(side: Side) -> None:
    for chain in CANDIDATES[side]:
        parse_steps(chain)
    assert () in CANDIDATES[side]
