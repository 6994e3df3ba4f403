"""Two projections into one space, and that space seen through the modalities a request has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from exporters.training import Features

INITIAL_TEMPERATURE: Final = 0.07  # Radford et al. 2021, section 2.5; Wu et al. 2018 before them
_MAX_LOG_SCALE: Final = math.log(100.0)  # as there: a larger one makes training unstable
_SMALLEST_DEVIATION: Final = 1e-6  # a feature that never varies says nothing: keep it near zero


class Standardisation(nn.Module):
    """Centres features, and scales them when it was fitted to; the identity at first.

    Features of an encoder share a large common direction; without it cosines tell more apart.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))

    def fit(self, features: Tensor, *, is_scaled: bool) -> None:
        """Takes mean and, if wanted, deviations from training features (examples, dim)."""
        self.mean.copy_(features.mean(dim=0))
        if is_scaled:
            self.deviation.copy_(features.std(dim=0).clamp_min(_SMALLEST_DEVIATION))

    def forward(self, features: Tensor) -> Tensor:
        """Takes and returns (batch, dim)."""
        return (features - self.mean) / self.deviation


class Projections(nn.Module):
    """From the features of two frozen encoders into one space, float32 (batch, dim).

    Attributes:
        log_scale: logarithm of the factor of the cosines, learned with the projections.
        image_weight: how much the image counts in the embedding of an image and a text, 0 to 1.
    """

    image_weight: Tensor

    def __init__(self, text: nn.Module, image: nn.Module) -> None:
        super().__init__()
        self.text = text
        self.image = image
        self.log_scale = nn.Parameter(torch.tensor(-math.log(INITIAL_TEMPERATURE)))
        self.register_buffer("image_weight", torch.tensor(0.5))

    @property
    def scale(self) -> Tensor:
        """Factor of the cosines, a scalar."""
        return self.log_scale.clamp(max=_MAX_LOG_SCALE).exp()

    def embed_text(self, features: Tensor) -> Tensor:
        """Text features to embeddings of unit length."""
        return functional.normalize(self.text(features), dim=-1)

    def embed_image(self, features: Tensor) -> Tensor:
        """Image features to embeddings of unit length."""
        return functional.normalize(self.image(features), dim=-1)


def untrained_projections(
    text_dim: int, image_dim: int, dim: int | None, dropout: float
) -> Projections:
    """Makes projections to train.

    Args:
        text_dim: width of the text features.
        image_dim: width of the image features.
        dim: width of the space, or None for the centred space of the text encoder, in which the
            texts stay (Zhai et al. 2022, "LiT: Zero-Shot Transfer with Locked-image text Tuning",
            with the sides exchanged).
        dropout: share of features dropped in training.
    """
    text: nn.Module = Standardisation(text_dim)
    if dim is not None:
        text = nn.Sequential(text, nn.Dropout(dropout), nn.Linear(text_dim, dim))
    image = nn.Sequential(
        Standardisation(image_dim), nn.Dropout(dropout), nn.Linear(image_dim, dim or text_dim)
    )
    return Projections(text, image)


def fit_standardisation(projections: Projections, features: Features) -> None:
    """Takes means and deviations from the training examples.

    A locked text side is centred and not scaled: the angles between texts are the encoder's.
    """
    if isinstance(projections.text, Standardisation):
        projections.text.fit(features.text, is_scaled=False)
    for side, values in ((projections.text, features.text), (projections.image, features.image)):
        if isinstance(side, nn.Sequential) and isinstance(side[0], Standardisation):
            side[0].fit(values, is_scaled=True)


class TextTower(nn.Module):
    """Embeddings of texts."""

    def __init__(self, projections: Projections) -> None:
        super().__init__()
        self.projections = projections

    def forward(self, text: Tensor) -> Tensor:
        """Takes (batch, text_dim); returns (batch, dim) of unit length."""
        return self.projections.embed_text(text)


class ImageTower(nn.Module):
    """Embeddings of images."""

    def __init__(self, projections: Projections) -> None:
        super().__init__()
        self.projections = projections

    def forward(self, image: Tensor) -> Tensor:
        """Takes (batch, image_dim); returns (batch, dim) of unit length."""
        return self.projections.embed_image(image)


class BothTowers(nn.Module):
    """Embeddings of pairs: the weighted sum of both sides.

    It is not of unit length: a label's logit is then the weighted sum of the two sides' logits,
    which is late fusion, and needs nothing of whoever compares it with labels.
    """

    def __init__(self, projections: Projections) -> None:
        super().__init__()
        self.projections = projections

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """Takes (batch, text_dim) and (batch, image_dim); returns (batch, dim)."""
        weight = self.projections.image_weight
        text_side = (1 - weight) * self.projections.embed_text(text)
        return text_side + weight * self.projections.embed_image(image)


def tower_for(
    projections: Projections, modalities: ModalitySet
) -> TextTower | ImageTower | BothTowers:
    """Returns the view that takes just the features of `modalities`, text first."""
    match modalities:
        case ModalitySet.BOTH:
            return BothTowers(projections)
        case ModalitySet.TEXT:
            return TextTower(projections)
        case ModalitySet.IMAGE:
            return ImageTower(projections)


def embeddings_of(projections: Projections, features: Features, modalities: ModalitySet) -> Tensor:
    """Embeds examples through the same view that is exported, float32 (examples, dim)."""
    view = tower_for(projections, modalities).eval()
    inputs = []
    if modalities.has_text:
        inputs.append(features.text)
    if modalities.has_image:
        inputs.append(features.image)
    with torch.inference_mode():
        embeddings: Tensor = view(*inputs)
    return embeddings
