"""The real fit and the real tests, on populations of which the truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporters.drift.design_effect import effective_rows
from exporters.drift.reference import fit_reference
from gateway.contract.drift.reference import MAX_REFERENCE_BYTES, ONLY_TASK, DriftReference
from gateway.contract.drift.window import DriftKind, DriftTests, WatchedItem
from gateway.contract.manifest import ModalitySet
from tests.drift_population import Draw, Population

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_WINDOW = 200
_INPUT_KINDS = frozenset(DriftKind) - {DriftKind.LABELS, DriftKind.CONFIDENCE}


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return Population(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def tests(population: Population) -> DriftTests:
    return DriftTests(fit_reference(population.reference_data(np.random.default_rng(5))))


def drifting(
    tests: DriftTests, items: list[WatchedItem], false_alarm: float = 1e-4
) -> set[DriftKind]:
    findings = tests.judge(items, ModalitySet.BOTH, false_alarm)
    return {each.kind for each in findings if each.is_drifting}


def test_reference_comes_back_from_json_and_is_small(population: Population) -> None:
    reference = fit_reference(population.reference_data(np.random.default_rng(0)))

    text = reference.model_dump_json()

    assert DriftReference.model_validate_json(text) == reference
    assert len(text) < MAX_REFERENCE_BYTES


def test_same_data_gives_the_same_reference(population: Population) -> None:
    one, other = (
        fit_reference(population.reference_data(np.random.default_rng(3))) for _ in range(2)
    )

    assert one == other


def test_unchanged_traffic_raises_false_alarms_as_seldom_as_set(population: Population) -> None:
    # Each reference has an error of its own that all its windows share, so references count, not
    # windows; of each there are several windows, since the error of a window is drawn anew.
    references, windows, alarms, strict_alarms = 20, 5, 0, 0
    generator = np.random.default_rng(11)
    for _ in range(references):
        tests = DriftTests(fit_reference(population.reference_data(generator)))
        for _ in range(windows):
            items = population.items(population.draw(_WINDOW, generator)[0], tests)
            alarms += bool(drifting(tests, items, 0.05))
            strict_alarms += bool(drifting(tests, items, 1e-3))

    rate = alarms / (references * windows)
    # Set is 0.05 for any of seven kinds. The bound adds three deviations of a share of 20.
    assert rate <= 0.05 + 3 * (0.05 * 0.95 / references) ** 0.5
    assert strict_alarms <= 2


def swapped(drawn: Draw, generator: np.random.Generator) -> Draw:
    order = generator.permutation(len(drawn))
    return replace(drawn, text=drawn.text[order], texts=[drawn.texts[row] for row in order])


def moved(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """As a blur does: everything is more like the mean. A pair's directions stay as they are."""
    return (features * 0.5).astype(np.float32)


@pytest.mark.parametrize(
    ("shift", "raised"),
    [
        (swapped, {DriftKind.AGREEMENT}),
        (lambda drawn, _: replace(drawn, image=moved(drawn.image)), {DriftKind.IMAGE_EMBEDDING}),
        (lambda drawn, _: replace(drawn, text=moved(drawn.text)), {DriftKind.TEXT_EMBEDDING}),
        (lambda drawn, _: replace(drawn, files=[0] * len(drawn)), {DriftKind.IMAGE_PROPERTIES}),
        (lambda drawn, _: replace(drawn, labels=["food"] * len(drawn)), {DriftKind.LABELS}),
        (
            lambda drawn, _: replace(drawn, confidence=drawn.confidence * np.float32(0.7)),
            {DriftKind.CONFIDENCE},
        ),
    ],
    ids=["swapped pairs", "image features", "text features", "files", "labels", "confidence"],
)
def test_shift_raises_its_own_kind_alone(
    population: Population,
    tests: DriftTests,
    shift: Callable[[Draw, np.random.Generator], Draw],
    raised: set[DriftKind],
) -> None:
    generator = np.random.default_rng(21)
    drawn = shift(population.draw(_WINDOW, generator)[0], generator)

    assert drifting(tests, population.items(drawn, tests)) == raised


def test_other_language_raises_text_properties_by_its_letters(
    population: Population, tests: DriftTests
) -> None:
    generator = np.random.default_rng(22)
    drawn, _ = population.draw(_WINDOW, generator, language="german")

    findings = tests.judge(population.items(drawn, tests), ModalitySet.BOTH, 1e-4)

    [found] = [each for each in findings if each.is_drifting]
    assert (found.kind, found.worst) == (DriftKind.TEXT_PROPERTIES, "language")


def test_requests_with_a_text_alone_are_judged_by_what_they_have(
    population: Population, tests: DriftTests
) -> None:
    drawn, _ = population.draw(_WINDOW, np.random.default_rng(23))
    items = [replace(each, image=None, image_file=None) for each in population.items(drawn, tests)]

    findings = tests.judge(items, ModalitySet.TEXT, 1e-4)

    assert {each.kind for each in findings} == {
        DriftKind.TEXT_EMBEDDING,
        DriftKind.TEXT_PROPERTIES,
        DriftKind.LABELS,
        DriftKind.CONFIDENCE,
    }
    assert not any(each.is_drifting for each in findings)


def test_requests_with_labels_of_their_own_are_judged_by_their_inputs(
    population: Population, tests: DriftTests
) -> None:
    drawn, _ = population.draw(_WINDOW, np.random.default_rng(24))
    items = [replace(each, answers={}) for each in population.items(drawn, tests)]

    assert {each.kind for each in tests.judge(items, ModalitySet.BOTH, 1e-4)} == _INPUT_KINDS


def test_each_task_is_judged_by_its_own_labels_and_confidence(population: Population) -> None:
    tasks = ("place", "mood")
    data = population.reference_data(np.random.default_rng(6), tasks=tasks)
    reference = DriftReference.model_validate_json(fit_reference(data).model_dump_json())
    tests = DriftTests(reference)
    drawn, _ = population.draw(_WINDOW, np.random.default_rng(25))
    items = [
        replace(each, answers={**each.answers, "mood": ("food", each.answers["mood"][1])})
        for each in population.items(drawn, tests, tasks)
    ]

    findings = tests.judge(items, ModalitySet.BOTH, 1e-4)

    answered = {(each.kind, each.task) for each in findings if each.kind not in _INPUT_KINDS}
    assert answered == {
        (kind, task) for kind in (DriftKind.LABELS, DriftKind.CONFIDENCE) for task in tasks
    }
    assert {(each.kind, each.task) for each in findings if each.is_drifting} == {
        (DriftKind.LABELS, "mood")
    }
    alone = fit_reference(replace(data, answers={ONLY_TASK: data.answers["place"]}))
    assert not {"first_task", "other_tasks"} & alone.model_dump().keys()


def test_twins_count_once() -> None:
    values = np.random.default_rng(0).normal(size=(200, 4))
    twice = np.repeat(values, 2, axis=0)

    assert effective_rows(values, np.arange(200)) == pytest.approx(200, rel=0.1)
    assert effective_rows(twice, np.repeat(np.arange(200), 2)) == pytest.approx(200, rel=0.1)
