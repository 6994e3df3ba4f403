from __future__ import annotations

from pathlib import Path

import numpy as np

from exporters.data import Example, group_examples, join_groupings


def example(text: str, group: str | None = None) -> Example:
    return Example(Path("image.png"), "", text, (("label",),), group)


def orthogonal_features(examples: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.eye(examples, dtype=np.float32)


def test_same_text_in_another_case_is_one_group() -> None:
    examples = [example("A cat"), example("a dog"), example("a CAT")]

    groups = group_examples(examples, orthogonal_features(3), twin_cosine=0.9)

    assert groups[0] == groups[2] != groups[1]


def test_given_group_joins_different_texts_and_its_name_is_no_text() -> None:
    examples = [example("a", "s1"), example("b", "s1"), example("s1")]

    groups = group_examples(examples, orthogonal_features(3), twin_cosine=0.9)

    assert groups[0] == groups[1] != groups[2]


def test_near_twin_images_are_joined_transitively() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 64)).astype(np.float32)
    features[20] = features[3] + 0.1 * rng.normal(size=64)
    features[30] = features[20] + 0.1 * rng.normal(size=64)
    examples = [example(str(number)) for number in range(40)]

    groups = group_examples(examples, features, twin_cosine=0.9)

    assert groups[3] == groups[20] == groups[30]
    assert len(set(groups.tolist())) == 38


def test_common_direction_of_all_features_makes_no_twins() -> None:
    features = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32) + 100
    examples = [example(str(number)) for number in range(40)]

    groups = group_examples(examples, features, twin_cosine=0.9)

    assert len(set(groups.tolist())) == 40


def test_joined_groupings_keep_together_what_any_of_them_does() -> None:
    first, second = np.array([0, 0, 2, 3, 4]), np.array([0, 1, 1, 3, 4])

    joined = join_groupings([first, second])

    assert joined[0] == joined[1] == joined[2]
    assert len(set(joined.tolist())) == 3
