"""The examples of a run: what every table becomes, whatever its format or source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from exporters.digests import digest_of_json

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """One image with its text and label.

    Attributes:
        image: path of the image file; it was decoded once and is sound.
        image_digest: SHA-256 of the file's bytes.
        text: not empty.
        label: one of the table's labels.
        group: value of the group column, or None without one.
    """

    image: Path
    image_digest: str
    text: str
    label: str
    group: str | None = None


@dataclass(frozen=True)
class ExampleTable:
    """Sound examples in the order of their table, and the labels in the order of the logits."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that training sees: image bytes, texts, labels, groups and order."""
        rows = [[row.image_digest, row.text, row.label, row.group] for row in self.examples]
        return digest_of_json({"labels": self.labels, "rows": rows})

    @cached_property
    def texts(self) -> list[str]:
        """The texts, in order."""
        return [example.text for example in self.examples]

    @cached_property
    def label_indices(self) -> NDArray[np.int64]:
        """Index of each example's label, shape (examples,)."""
        index = {label: position for position, label in enumerate(self.labels)}
        return np.array([index[example.label] for example in self.examples], dtype=np.int64)
