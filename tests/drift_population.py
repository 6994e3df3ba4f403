"""A made-up population of images, texts and answers, to fit references from and to draw windows of.

An image and its text share a hidden cause, so that they agree; what a shift changes can be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from exporters.data import Example
from exporters.drift.sample import HeldOutAnswers, ReferenceData
from gateway.contract.drift.reference import ONLY_TASK
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gateway.contract.drift.window import DriftTests, WatchedItem

    Floats = NDArray[np.float32]

IMAGE_DIM, TEXT_DIM = 24, 16
LABELS = ("animal", "food", "travel")
_HIDDEN = 6
_IMAGES = 40
_WORDS = {
    "english": ("the", "a", "of", "house", "sea", "red", "old", "man", "dog", "and", "by", "tree"),
    "german": ("der", "das", "ein", "haus", "meer", "rot", "alt", "mann", "hund", "und", "baum"),
}


@dataclass(frozen=True)
class Draw:
    """Requests and answers of one size, row by row."""

    image: Floats
    text: Floats
    files: list[int]
    texts: list[str]
    labels: list[str]
    confidence: Floats

    def __len__(self) -> int:
        return len(self.texts)


class Population:
    """Draws from one distribution, or from a shifted one.

    Args:
        folder: where its image files go.
        seed: of what is fixed: loadings and files.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self._image = generator.normal(size=(_HIDDEN, IMAGE_DIM))
        self._text = generator.normal(size=(_HIDDEN, TEXT_DIM))
        self._label = generator.normal(size=(_HIDDEN, len(LABELS)))
        folder.mkdir(parents=True, exist_ok=True)
        self.files = [folder / f"{number}.png" for number in range(_IMAGES)]
        for file in self.files:
            size = tuple(generator.integers(8, 64, size=2).tolist())
            Image.new("RGB", size, tuple(generator.integers(0, 255, size=3).tolist())).save(file)

    def draw(
        self,
        rows: int,
        generator: np.random.Generator,
        *,
        twins: float = 0.0,
        language: str = "english",
    ) -> tuple[Draw, NDArray[np.int64]]:
        """Draws rows and their groups.

        Args:
            rows: how many.
            generator: what is random.
            twins: share of rows that are near twins of the row before.
            language: of the texts.
        """
        group = np.cumsum(generator.random(rows) >= twins, dtype=np.int64)
        hidden = generator.normal(size=(rows + 1, _HIDDEN))[group]
        hidden += 0.1 * generator.normal(size=hidden.shape)
        image = hidden @ self._image + generator.normal(size=(rows, IMAGE_DIM))
        text = hidden @ self._text + generator.normal(size=(rows, TEXT_DIM))
        logits = hidden @ self._label
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        words = _WORDS[language]
        lengths = generator.integers(2, 8, size=rows)
        return (
            Draw(
                image=image.astype(np.float32),
                text=text.astype(np.float32),
                files=generator.integers(0, _IMAGES, size=rows).tolist(),
                texts=[" ".join(generator.choice(words, size=length)) for length in lengths],
                labels=[LABELS[index] for index in probabilities.argmax(axis=1)],
                confidence=probabilities.max(axis=1).astype(np.float32),
            ),
            group,
        )

    def reference_data(
        self,
        generator: np.random.Generator,
        rows: int = 900,
        tasks: Sequence[str] = (ONLY_TASK,),
    ) -> ReferenceData:
        """Draws what a reference is fitted from: half to train on, a fifth of all rows twins.

        All tasks answer alike.
        """
        drawn, groups = self.draw(rows, generator, twins=0.2)
        # No group is cut by the split.
        first = int(np.flatnonzero(groups == groups[rows // 2])[0])
        others = slice(first, rows)
        answers = HeldOutAnswers(drawn.labels[others], drawn.confidence[others])
        return ReferenceData(
            image=drawn.image,
            text=drawn.text,
            examples=self._examples(drawn),
            groups=groups,
            train=np.arange(first),
            others=np.arange(first, rows),
            answers={task: dict.fromkeys(ModalitySet, answers) for task in tasks},
            seed=1,
        )

    def items(
        self, drawn: Draw, tests: DriftTests, tasks: Sequence[str] = (ONLY_TASK,)
    ) -> list[WatchedItem]:
        """What a window keeps of requests with both inputs."""
        images = [file.read_bytes() for file in self.files]
        return [
            tests.watch(
                (drawn.image[row], drawn.text[row]),
                (images[drawn.files[row]], drawn.texts[row]),
                dict.fromkeys(tasks, (drawn.labels[row], float(drawn.confidence[row]))),
            )
            for row in range(len(drawn))
        ]

    def _examples(self, drawn: Draw) -> Sequence[Example]:
        return [
            Example(self.files[file], "0" * 64, text, ((label,),))
            for file, text, label in zip(drawn.files, drawn.texts, drawn.labels, strict=True)
        ]
