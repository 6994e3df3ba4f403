"""Which examples belong together, so that none has a near twin on the other side of a split.

A model that has seen the twin of a held-out example is measured on its memory. Examples belong
together when their texts are the same, when the table says so, or when their images look alike to
the image encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exporters.data.twins import twin_pairs

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray

    from exporters.data.examples import Example


def group_examples(
    examples: Iterable[Example], image_features: NDArray[np.float32], twin_cosine: float
) -> NDArray[np.int64]:
    """Numbers the groups of examples that must stay on one side of a split.

    Args:
        examples: the table's examples.
        image_features: their image features, shape (examples, dim).
        twin_cosine: images whose centred features have a larger cosine are near twins.

    Returns:
        The group of each example, shape (examples,); groups are connected components.
    """
    forest = _Forest(len(image_features))
    first_with: dict[Hashable, int] = {}
    for position, example in enumerate(examples):
        forest.join(position, first_with.setdefault(("text", example.text.casefold()), position))
        if example.group is not None:
            forest.join(position, first_with.setdefault(("group", example.group), position))
    for first, second in twin_pairs(image_features, twin_cosine):
        for left, right in zip(first.tolist(), second.tolist(), strict=True):
            forest.join(left, right)
    return np.array([forest.root(position) for position in range(len(image_features))])


def join_groupings(groupings: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Numbers the groups of examples that any of several groupings keeps together.

    Args:
        groupings: each the group of each example, shape (examples,).

    Returns:
        The group of each example, shape (examples,).
    """
    forest = _Forest(len(groupings[0]))
    for grouping in groupings:
        first_with: dict[int, int] = {}
        for position, group in enumerate(grouping.tolist()):
            forest.join(position, first_with.setdefault(group, position))
    return np.array([forest.root(position) for position in range(len(groupings[0]))])


class _Forest:
    """Disjoint sets with path halving (Tarjan and van Leeuwen 1984)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, member: int) -> int:
        while self._parent[member] != member:
            self._parent[member] = self._parent[self._parent[member]]
            member = self._parent[member]
        return member

    def join(self, left: int, right: int) -> None:
        # The smaller number becomes the root, so that numbering does not depend on the order.
        low, high = sorted((self.root(left), self.root(right)))
        self._parent[high] = low
