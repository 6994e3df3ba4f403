"""From cosines to scores: how much each side counts, and how sure a cosine makes.

Fitted on validation labels, which the projections were not trained on, with each set of modalities:
a text and a label are two texts, and lie closer together than an image and a label do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional

from exporters.alignment.projections import embeddings_of
from exporters.training import fit_temperature
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from exporters.alignment.projections import Projections
    from exporters.training import Features


@dataclass(frozen=True)
class Scoring:
    """How the cosines of one set of modalities become scores; see `gateway.contract.zero_shot`.

    Attributes:
        activation: `softmax` over the labels, or a `sigmoid` for each.
        logit_scale: factor of the cosines.
        logit_bias: added to them.
        temperature: what a softmax's logits are divided by; 1 for a sigmoid.
    """

    activation: Literal["softmax", "sigmoid"]
    logit_scale: float
    logit_bias: float
    temperature: float


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs and the labels they are to be told apart by.

    Attributes:
        features: of the pairs.
        truth: place of each pair's label in `directions`, shape (pairs,), int64.
        directions: the labels' embeddings, shape (labels, dim), of unit length.
    """

    features: Features
    truth: Tensor
    directions: Tensor


def fit_image_weight(projections: Projections, pairs: LabelledPairs) -> float:
    """Finds how much the image counts beside the text, 0 to 1.

    The logits of both sides are added with a factor each, found by the smallest negative
    log-likelihood: a product of experts (Hinton 2002), each as sure as it deserves.
    """
    cosines = [
        (embeddings_of(projections, pairs.features, each) @ pairs.directions.T).double()
        for each in (ModalitySet.TEXT, ModalitySet.IMAGE)
    ]
    log_factors = torch.full((2,), 2.0, dtype=torch.float64, requires_grad=True)

    def loss() -> Tensor:
        factors = log_factors.clamp(-7.0, 7.0).exp()
        return functional.cross_entropy(
            factors[0] * cosines[0] + factors[1] * cosines[1], pairs.truth
        )

    _minimise(loss, log_factors)
    text, image = log_factors.detach().clamp(-7.0, 7.0).exp().tolist()
    return float(image / (text + image))


def calibrate(
    projections: Projections, pairs: LabelledPairs, logit_bias: float | None
) -> dict[ModalitySet, Scoring]:
    """Fits the scoring of each set of modalities.

    Args:
        projections: with the image's weight already set.
        pairs: of validation labels.
        logit_bias: of a checkpoint that was trained with a sigmoid; None: with a softmax. Such a
            checkpoint's own scale and bias stand as they are for images, which it was trained to
            compare with texts; they say nothing of texts compared with texts, for which both are
            fitted (Platt 1999, "Probabilistic Outputs for Support Vector Machines").
    """
    scale = float(projections.scale.detach())
    scorings = {}
    for modalities in ModalitySet:
        embeddings = embeddings_of(projections, pairs.features, modalities)
        cosines = embeddings @ pairs.directions.T  # (pairs, labels)
        if logit_bias is None:
            temperature = fit_temperature(scale * cosines, pairs.truth)
            scorings[modalities] = Scoring("softmax", scale, 0.0, temperature)
        elif modalities is ModalitySet.IMAGE:
            scorings[modalities] = Scoring("sigmoid", scale, logit_bias, 1.0)
        else:
            scorings[modalities] = _platt(cosines, pairs.truth, scale)
    return scorings


def _platt(cosines: Tensor, truth: Tensor, initial_scale: float) -> Scoring:
    wanted = functional.one_hot(truth, cosines.shape[1]).double()
    cosines = cosines.detach().double()
    log_scale = torch.tensor(initial_scale, dtype=torch.float64).log().requires_grad_()
    # Where the cosine of an average pair is even odds: the fit begins where it can see both sides.
    bias = (-initial_scale * cosines.mean()).detach().requires_grad_()

    def loss() -> Tensor:
        scale = log_scale.clamp(-3.0, 7.0).exp()
        return functional.binary_cross_entropy_with_logits(scale * cosines + bias, wanted)

    _minimise(loss, log_scale, bias)
    scale = float(log_scale.detach().clamp(-3.0, 7.0).exp())
    return Scoring("sigmoid", scale, float(bias.detach()), 1.0)


def _minimise(loss: Callable[[], Tensor], *parameters: Tensor) -> None:
    optimiser = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")

    def step() -> Any:  # noqa: ANN401 - torch ships this untyped
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
        return value.item()

    optimiser.step(step)  # type: ignore[no-untyped-call] # torch ships this method untyped
