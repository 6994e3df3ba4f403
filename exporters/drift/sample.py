"""What a drift reference is fitted from: what was fitted on, and a sample of what was not.

Of examples the inputs themselves are at hand; of captured answers only what they were from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.contract.drift.language import familiarity, language_profile
from gateway.contract.drift.properties import image_properties, text_properties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from exporters.data import Example
    from gateway.contract.drift.properties import ImageProperties, TextProperties
    from gateway.contract.manifest import ModalitySet

    Floats = NDArray[np.floating[Any]]
    Answers = Mapping[str, Mapping[ModalitySet, "HeldOutAnswers"]]


@dataclass(frozen=True)
class HeldOutAnswers:
    """What a variant's task says of the examples that the samples are drawn from.

    Attributes:
        labels: the best label of each example.
        confidence: its calibrated probability, shape (examples,).
    """

    labels: Sequence[str]
    confidence: Floats


@dataclass(frozen=True)
class FittedOn:
    """What a variant was trained on.

    Attributes:
        image, text: features, shapes (examples, dim).
        language_profile: of the texts; see `gateway.contract.drift.language`.
    """

    image: Floats
    text: Floats
    language_profile: NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """What windows of traffic are compared with: nothing of it was fitted on.

    Attributes:
        image, text: features, shapes (rows, dim).
        groups: group of each row, shape (rows,); near twins share one.
        image_files, text_shapes: the inputs from outside, one a row.
        familiarity: of the texts by the profile, one a row; None where it is not known.
        answers: by task, the first one first, and modality set; empty for a dual tower.
    """

    image: Floats
    text: Floats
    groups: NDArray[np.int64]
    image_files: Sequence[ImageProperties]
    text_shapes: Sequence[TextProperties]
    familiarity: Sequence[float] | None
    answers: Answers


@dataclass(frozen=True)
class ReferenceData:
    """Examples that a reference is fitted from.

    Attributes:
        image, text: features of all examples, shapes (examples, dim).
        examples: in the same order.
        groups: group of each example, shape (examples,); near twins share one.
        train: positions of the examples that were trained on.
        others: positions of those that nothing was fitted on.
        answers: for the examples at `others`, by task, the first one first, and modality set; empty
            for a dual tower.
        seed: of the random waves.
    """

    image: Floats
    text: Floats
    examples: Sequence[Example]
    groups: NDArray[np.int64]
    train: NDArray[np.int64]
    others: NDArray[np.int64]
    answers: Answers
    seed: int

    def fitted_on(self) -> FittedOn:
        """Returns what was trained on."""
        texts = (self.examples[row].text for row in self.train)
        return FittedOn(self.image[self.train], self.text[self.train], language_profile(texts))

    def sample(self, profile: NDArray[np.uint8]) -> Sample:
        """Returns the rest; reads the images."""
        others = [self.examples[row] for row in self.others]
        return Sample(
            image=self.image[self.others],
            text=self.text[self.others],
            groups=self.groups[self.others],
            image_files=[image_properties(each.image.read_bytes()) for each in others],
            text_shapes=[text_properties(each.text) for each in others],
            familiarity=[familiarity(each.text, profile) for each in others],
            answers=self.answers,
        )
