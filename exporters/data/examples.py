"""The examples of a run: what every table becomes, whatever its format or source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.digests import digest_of_json
from exporters.tasks import Truth, slices_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.tasks import Task

UNLABELLED: Final = -1
"""Index of the label of an example that nobody labelled in a task."""


@dataclass(frozen=True)
class Example:
    """One image with its text and labels.

    Attributes:
        image: path of the image file; it was decoded once and is sound.
        image_digest: SHA-256 of the file's bytes.
        text: not empty.
        answers: its labels in each of the table's tasks; None in a task nobody labelled it for.
        group: value of the group column, or None without one.
    """

    image: Path
    image_digest: str
    text: str
    answers: tuple[tuple[str, ...] | None, ...]
    group: str | None = None

    @property
    def label(self) -> str:
        """Its label in the first task, for people; several have commas between."""
        return ", ".join(self.answers[0] or ())


@dataclass(frozen=True)
class ExampleTable:
    """Sound examples in the order of their table, and the tasks in the order of the logits."""

    examples: tuple[Example, ...]
    tasks: tuple[Task, ...]

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all tasks, in the order of the logits."""
        return tuple(label for task in self.tasks for label in task.labels)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that training sees: image bytes, texts, labels, groups and order."""
        rows = [[row.image_digest, row.text, row.answers, row.group] for row in self.examples]
        tasks = [[task.name, task.labels, task.is_multi_label] for task in self.tasks]
        return digest_of_json({"tasks": tasks, "rows": rows})

    @cached_property
    def texts(self) -> list[str]:
        """The texts, in order."""
        return [example.text for example in self.examples]

    @cached_property
    def has_label(self) -> NDArray[np.bool_]:
        """Which labels each example has, shape (examples, labels of all tasks)."""
        found = np.zeros((len(self), len(self.labels)), dtype=bool)
        for number, (task, place) in enumerate(zip(self.tasks, slices_of(self.tasks), strict=True)):
            column = {label: place.start + index for index, label in enumerate(task.labels)}
            for row, example in enumerate(self.examples):
                for label in example.answers[number] or ():
                    found[row, column[label]] = True
        return found

    @cached_property
    def is_labelled(self) -> NDArray[np.bool_]:
        """In which tasks each example is labelled, shape (examples, tasks)."""
        return np.array([[each is not None for each in row.answers] for row in self.examples])

    @property
    def facts(self) -> Truth:
        """What is true of the examples, in all tasks."""
        return Truth(self.tasks, self.has_label, self.is_labelled)

    def truth(self, task: int) -> NDArray[np.int64]:
        """Index of each example's label in a task of one label, shape (examples,).

        `UNLABELLED` where nobody labelled it.
        """
        has_label = self.has_label[:, slices_of(self.tasks)[task]]
        return np.where(self.is_labelled[:, task], has_label.argmax(axis=1), UNLABELLED)

    @property
    def label_indices(self) -> NDArray[np.int64]:
        """`truth` of the first task."""
        return self.truth(0)
