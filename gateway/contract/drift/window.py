"""Judges a window of traffic by a reference.

A window holds what was asked with the inputs of one modality set. Each kind of drift has a test of
its own, named in its module, and labels and confidence one a task; the probability of a false alarm
is shared out among the tests, and a test's among its properties (Bonferroni), so that it holds for
the window as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from gateway.contract.drift.agreement import Agreement
from gateway.contract.drift.embedding import EmbeddingTest
from gateway.contract.drift.language import familiarity
from gateway.contract.drift.properties import (
    ImageProperties,
    TextProperties,
    image_properties,
    text_properties,
)
from gateway.contract.drift.two_sample import (
    category_distance,
    category_threshold,
    ks_distance,
    ks_threshold,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from gateway.contract.drift.reference import (
        AnswersReference,
        CategoriesReference,
        DriftReference,
        PropertiesReference,
        ValuesReference,
    )
    from gateway.contract.manifest import ModalitySet

    Floats = NDArray[np.float32]

OTHER: Final = "other"
"""Stands for every category that the reference has not."""


class DriftKind(StrEnum):
    """What of the traffic has moved."""

    IMAGE_EMBEDDING = "image_embedding"
    TEXT_EMBEDDING = "text_embedding"
    AGREEMENT = "agreement"
    LABELS = "labels"
    CONFIDENCE = "confidence"
    IMAGE_PROPERTIES = "image_properties"
    TEXT_PROPERTIES = "text_properties"


@dataclass(frozen=True, slots=True)
class WatchedItem:
    """What is kept of one request until its window is judged. What is absent is None.

    Attributes:
        image: coordinates, shape (components + 1,); see `embedding`.
        text: the same of the text.
        answers: the best label of each task and its probability, by the task's name; empty where
            labels come with the request.
        image_file: the image from outside.
        text_shape: the text from outside.
        familiarity: of the text; see `language`.
    """

    image: Floats | None
    text: Floats | None
    answers: Mapping[str, tuple[str, float]]
    image_file: ImageProperties | None
    text_shape: TextProperties | None
    familiarity: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of drift in one window.

    Attributes:
        kind: what was looked at.
        statistic: a distance, 0 or more.
        threshold: what it exceeds by chance with the probability that was allowed; above 0.
        worst: the property that is furthest beyond its threshold, where a kind has several.
        task: whose labels or confidence it is; empty for the inputs, and where a variant names no
            tasks.
    """

    kind: DriftKind
    statistic: float
    threshold: float
    worst: str | None = None
    task: str = ""

    @property
    def ratio(self) -> float:
        """Statistic by threshold."""
        return self.statistic / self.threshold

    @property
    def is_drifting(self) -> bool:
        """Whether this is more than chance."""
        return self.ratio > 1.0


class DriftTests:
    """The tests of one variant; made once, as it unpacks the reference's arrays.

    Args:
        reference: what the exporter wrote.
    """

    def __init__(self, reference: DriftReference) -> None:
        self._reference = reference
        self._image = EmbeddingTest(reference.image)
        self._text = EmbeddingTest(reference.text)
        self._agreement = Agreement(
            reference.agreement.image.unpack(), reference.agreement.text.unpack()
        )
        self._profile = reference.language_profile.unpack()

    @property
    def dims(self) -> tuple[int, int]:
        """Widths of the features of image and text."""
        return self._reference.image.dim, self._reference.text.dim

    def watch(  # the parts of one request and of its answer
        self,
        features: tuple[Floats | None, Floats | None],
        inputs: tuple[bytes | None, str | None],
        answers: Mapping[str, tuple[str, float]],
    ) -> WatchedItem:
        """Takes of a request what a window needs.

        Args:
            features: of image and text, shapes (dim,).
            inputs: image file and text.
            answers: the best label of each task and its probability, by the task's name; empty
                where labels come with the request.
        """
        (image_features, text_features), (image, text) = features, inputs
        return WatchedItem(
            image=None if image_features is None else self.image_coordinates(image_features),
            text=None if text_features is None else self.text_coordinates(text_features),
            answers=answers,
            image_file=None if image is None else image_properties(image),
            text_shape=None if text is None else text_properties(text),
            familiarity=None if text is None else self.familiarity(text),
        )

    def image_coordinates(self, features: Floats) -> Floats:
        """Projects image features, shape (..., dim)."""
        return self._image.projection.coordinates(features)

    def text_coordinates(self, features: Floats) -> Floats:
        """Projects text features, shape (..., dim)."""
        return self._text.projection.coordinates(features)

    def agreement(self, image: Floats, text: Floats) -> Floats:
        """Returns how well images and texts go together; see `Agreement.scores`."""
        return self._agreement.scores(image, text)

    def familiarity(self, text: str) -> float:
        """Returns how familiar a text's letters are; see `language`."""
        return familiarity(text, self._profile)

    def judge(
        self, items: Sequence[WatchedItem], modalities: ModalitySet, false_alarm: float
    ) -> tuple[Finding, ...]:
        """Judges a window.

        Args:
            items: all of one modality set; at least two.
            modalities: that set.
            false_alarm: probability that any kind is drifting when nothing has changed.
        """
        answered = {
            task: reference
            for task, reference in self._reference.answers_to(modalities).items()
            if all(task in each.answers for each in items)
        }
        count = 2 * (modalities.has_image + modalities.has_text) + 2 * len(answered)
        count += modalities.has_image and modalities.has_text
        share = false_alarm / count
        inputs = self._judge_inputs(items, share)
        return (*inputs, *_judge_answers(items, answered, share))

    def _judge_inputs(self, items: Sequence[WatchedItem], share: float) -> Iterator[Finding]:
        reference = self._reference
        image = _stack([each.image for each in items])
        text = _stack([each.text for each in items])
        files = [each.image_file for each in items if each.image_file is not None]
        shapes = [each.text_shape for each in items if each.text_shape is not None]
        if image is not None:
            yield _embedding(DriftKind.IMAGE_EMBEDDING, self._image, image, share)
            yield _properties(
                DriftKind.IMAGE_PROPERTIES,
                reference.image_properties,
                image_values(files),
                share,
            )
        if text is not None:
            familiar = [each.familiarity or 0.0 for each in items]
            yield _embedding(DriftKind.TEXT_EMBEDDING, self._text, text, share)
            yield _properties(
                DriftKind.TEXT_PROPERTIES,
                reference.text_properties,
                text_values(shapes, familiar),
                share,
            )
        if image is not None and text is not None:
            scores = self._agreement.scores(image, text)
            yield Finding(DriftKind.AGREEMENT, *_values(reference.agreement.scores, scores, share))


def _judge_answers(
    items: Sequence[WatchedItem], answered: Mapping[str, AnswersReference], share: float
) -> Iterator[Finding]:
    for task, reference in answered.items():
        labels = [each.answers[task][0] for each in items]
        confidence = np.array([each.answers[task][1] for each in items], np.float32)
        found = _categories(reference.labels, labels, share)
        yield Finding(DriftKind.LABELS, *found, task=task)
        found = _values(reference.confidence, confidence, share)
        yield Finding(DriftKind.CONFIDENCE, *found, task=task)


Properties = tuple[dict[str, "Floats"], dict[str, list[str]]]
"""Numbers and categories of all items, by the property's name."""


def image_values(files: Sequence[ImageProperties]) -> Properties:
    """The properties of images that are compared."""
    numbers = {
        "file_bytes": np.array([each.file_bytes for each in files], np.float32),
        "pixels": np.array([each.pixels for each in files], np.float32),
        "aspect_ratio": np.array([each.aspect_ratio for each in files], np.float32),
    }
    return numbers, {"format": [each.format for each in files]}


def text_values(shapes: Sequence[TextProperties], familiar: Sequence[float]) -> Properties:
    """The properties of texts that are compared; the language is told by familiarity."""
    numbers = {
        "characters": np.array([each.characters for each in shapes], np.float32),
        "language": np.array(familiar, np.float32),
    }
    return numbers, {"script": [each.script for each in shapes]}


def _stack(rows: Sequence[Floats | None]) -> Floats | None:
    present = [row for row in rows if row is not None]
    return np.stack(present) if present else None


def _embedding(kind: DriftKind, test: EmbeddingTest, rows: Floats, share: float) -> Finding:
    return Finding(kind, test.distance(rows), test.threshold(len(rows), share))


def _properties(
    kind: DriftKind, reference: PropertiesReference, found: Properties, share: float
) -> Finding:
    numbers, categories = found
    each_share = share / (len(reference.values) + len(reference.categories))
    results = {
        **{
            name: _values(sample, numbers[name], each_share)
            for name, sample in reference.values.items()
        },
        **{
            name: _categories(sample, categories[name], each_share)
            for name, sample in reference.categories.items()
        },
    }
    worst = max(results, key=lambda name: results[name][0] / results[name][1])
    return Finding(kind, *results[worst], worst)


def _values(reference: ValuesReference, values: Floats, share: float) -> tuple[float, float]:
    distance = ks_distance(reference.values.unpack(), values)
    return distance, ks_threshold(reference.effective_rows, len(values), share)


def _categories(
    reference: CategoriesReference, values: Sequence[str], share: float
) -> tuple[float, float]:
    names = [name for name in reference.counts if name != OTHER]
    column = {name: index for index, name in enumerate(names)}
    expected = np.zeros(len(names) + 1)
    for name, count in reference.counts.items():
        expected[column.get(name, -1)] += count
    found = np.zeros(len(names) + 1)
    for value in values:
        found[column.get(value, -1)] += 1.0
    rows = reference.effective_rows, float(len(values))
    distance, degrees = category_distance(expected, found, rows)
    return distance, category_threshold(max(degrees, 1), rows, share)
