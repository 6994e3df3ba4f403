"""What every fusion head has: standardised inputs and a learned stand-in for an absent modality.

Most heads read one vector a modality. Those that say `is_over_sequences` read its sequence instead,
and everything here holds for both; `sequences` tells how padding is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from exporters.heads.sequences import first_of_sequence, is_position, rows_like, standardise

if TYPE_CHECKING:
    from exporters.tasks import Task
    from gateway.contract.manifest import ModalitySet

_NULL_TOKEN_DEVIATION = 0.02  # as tokens of transformers start (Devlin et al. 2019, "BERT")
_SMALLEST_DEVIATION = 1e-6  # a feature that never varies says nothing: keep it near zero


@dataclass(frozen=True)
class HeadShape:
    """What a head is built from.

    Attributes:
        text_dim: width of the text features; of a head over sequences, of a token.
        image_dim: width of the image features; of a head over sequences, of a patch or grid cell.
        tasks: what is asked; their labels stand side by side in the logits.
        hidden_dim: width of the hidden layer.
        dropout: share of hidden units dropped in training.
    """

    text_dim: int
    image_dim: int
    tasks: tuple[Task, ...]
    hidden_dim: int
    dropout: float

    @property
    def labels(self) -> int:
        """Width of the logits: the labels of all tasks."""
        return sum(len(task.labels) for task in self.tasks)


class FusionHead(nn.Module, ABC):
    """Logits from text and image features, of which either may be absent.

    Features are standardised inside, with statistics of the training examples, so that an exported
    graph takes what the encoders give. An absent modality is a learned vector in standardised
    space (modality dropout: Neverova et al. 2015, "ModDrop"); it starts at zero, which is the mean
    training example.

    A head over sequences takes (batch, length, dim) wherever (batch, dim) is said below. The
    stand-in is then a sequence of one learned token; it starts near zero, for a token that is zero
    all along would be padding.

    Attributes:
        is_over_sequences: whether the head reads tokens and patches instead of pooled features.
        null_text: stand-in for an absent text, shape (text_dim,).
        null_image: stand-in for an absent image, shape (image_dim,).
    """

    is_over_sequences: ClassVar[bool] = False

    text_mean: Tensor
    text_deviation: Tensor
    image_mean: Tensor
    image_deviation: Tensor

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.null_text = nn.Parameter(torch.zeros(shape.text_dim))
        self.null_image = nn.Parameter(torch.zeros(shape.image_dim))
        if self.is_over_sequences:
            nn.init.normal_(self.null_text, std=_NULL_TOKEN_DEVIATION)
            nn.init.normal_(self.null_image, std=_NULL_TOKEN_DEVIATION)
        self.register_buffer("text_mean", torch.zeros(shape.text_dim))
        self.register_buffer("text_deviation", torch.ones(shape.text_dim))
        self.register_buffer("image_mean", torch.zeros(shape.image_dim))
        self.register_buffer("image_deviation", torch.ones(shape.image_dim))

    @abstractmethod
    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """Fuses standardised features.

        Args:
            text: shape (batch, text_dim), float32.
            image: shape (batch, image_dim), float32.

        Returns:
            Uncalibrated logits, shape (batch, labels).
        """

    def forward(
        self,
        text: Tensor,
        image: Tensor,
        has_text: Tensor | None = None,
        has_image: Tensor | None = None,
    ) -> Tensor:
        """Classifies raw features; a mask that is left out means that all rows have the modality.

        Args:
            text: encoder's text features, shape (batch, text_dim), float32.
            image: encoder's image features, shape (batch, image_dim), float32.
            has_text: which rows have a text, shape (batch,), bool.
            has_image: which rows have an image, shape (batch,), bool.

        Returns:
            Uncalibrated logits, shape (batch, labels).
        """
        return self.fuse(*self.prepare(text, image, has_text, has_image))

    def prepare(
        self,
        text: Tensor,
        image: Tensor,
        has_text: Tensor | None = None,
        has_image: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Standardises features and puts the stand-ins where a modality is absent.

        Takes what `forward` takes; returns what `fuse` takes.
        """
        text = self.standardise_text(text)
        image = self.standardise_image(image)
        if has_text is not None:
            stand_in = first_of_sequence(self.absent_text(1), text)
            text = torch.where(rows_like(has_text, text), text, stand_in)
        if has_image is not None:
            stand_in = first_of_sequence(self.absent_image(1), image)
            image = torch.where(rows_like(has_image, image), image, stand_in)
        return text, image

    def absent_text(self, rows: int) -> Tensor:
        """What `fuse` takes for rows without text, shape (rows, text_dim)."""
        return self._stand_in(self.null_text, rows)

    def absent_image(self, rows: int) -> Tensor:
        """What `fuse` takes for rows without image, shape (rows, image_dim)."""
        return self._stand_in(self.null_image, rows)

    def _stand_in(self, null: Tensor, rows: int) -> Tensor:
        return null.expand(rows, 1, -1) if self.is_over_sequences else null.expand(rows, -1)

    def fitted_logits(self, text: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        """Returns what the training loss is put on, each by itself; their losses add up.

        The fused logits, unless a head is fitted in parts, as late fusion is.

        Args:
            text: shape (batch, text_dim), float32, standardised.
            image: shape (batch, image_dim), float32, standardised.

        Returns:
            One or more logits, each of shape (batch, labels).
        """
        return (self.fuse(text, image),)

    def learned_weights(self) -> dict[str, float]:
        """Returns how much the fitted head listens to what, by name, for the report.

        Weights sum to 1. Empty for a head that has no such weights that hold for all examples.
        """
        return {}

    def standardise_text(self, text: Tensor) -> Tensor:
        """Centres and scales text features, shape (batch, text_dim)."""
        return standardise(text, self.text_mean, self.text_deviation)

    def standardise_image(self, image: Tensor) -> Tensor:
        """Centres and scales image features, shape (batch, image_dim)."""
        return standardise(image, self.image_mean, self.image_deviation)

    def fit_standardisation(self, text: Tensor, image: Tensor) -> None:
        """Takes means and deviations from the training examples' features.

        Args:
            text: shape (examples, text_dim), float32.
            image: shape (examples, image_dim), float32.
        """
        if self.is_over_sequences:
            text, image = text[is_position(text)], image[is_position(image)]
        self.text_mean.copy_(text.mean(dim=0))
        self.text_deviation.copy_(text.std(dim=0).clamp_min(_SMALLEST_DEVIATION))
        self.image_mean.copy_(image.mean(dim=0))
        self.image_deviation.copy_(image.std(dim=0).clamp_min(_SMALLEST_DEVIATION))


def presence_masks(modalities: ModalitySet, rows: int) -> tuple[Tensor, Tensor]:
    """Returns `has_text` and `has_image` for rows that all have the same modalities."""
    has_text = torch.full((rows,), modalities.has_text)
    has_image = torch.full((rows,), modalities.has_image)
    return has_text, has_image
