from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import nn
from torch.nn import functional

from exporters.alignment.projections import Projections
from exporters.alignment.scoring import LabelledPairs, calibrate, fit_image_weight
from exporters.training import Features
from gateway.contract.manifest import ModalitySet


def pairs_of(text_noise: float, image_noise: float) -> LabelledPairs:
    generator = torch.Generator().manual_seed(0)
    directions = functional.normalize(torch.randn(6, 16, generator=generator), dim=-1)
    truth = torch.arange(300) % 6

    def view(noise: float) -> torch.Tensor:
        return directions[truth] + noise * torch.randn(300, 16, generator=generator)

    return LabelledPairs(Features(view(text_noise), view(image_noise)), truth, directions)


@pytest.fixture
def projections() -> Projections:
    return Projections(nn.Identity(), nn.Identity()).requires_grad_(requires_grad=False)


def test_image_weight_is_low_where_the_image_says_little(projections: Projections) -> None:
    weights = [
        fit_image_weight(projections, pairs_of(text_noise, image_noise))
        for text_noise, image_noise in ((0.3, 3.0), (0.5, 0.5), (3.0, 0.3))
    ]
    assert weights[0] < 0.3 < weights[1] < 0.7 < weights[2]


def test_calibrate_softmax_is_surer_where_the_modality_is_cleaner(
    projections: Projections,
) -> None:
    scorings = calibrate(projections, pairs_of(0.2, 1.5), logit_bias=None)

    assert {each.activation for each in scorings.values()} == {"softmax"}
    assert scorings[ModalitySet.TEXT].temperature < scorings[ModalitySet.IMAGE].temperature


def test_calibrate_sigmoid_keeps_the_checkpoints_own_scoring_for_images_alone(
    projections: Projections,
) -> None:
    pairs = pairs_of(0.2, 0.5)

    scorings = calibrate(projections, pairs, logit_bias=-7.0)

    image, text = scorings[ModalitySet.IMAGE], scorings[ModalitySet.TEXT]
    assert (image.logit_bias, image.activation) == (-7.0, "sigmoid")
    assert image.logit_scale == pytest.approx(float(projections.scale))
    cosines = (functional.normalize(pairs.features.text, dim=-1) @ pairs.directions.T).numpy()
    scores = expit(text.logit_scale * cosines + text.logit_bias)
    # Platt's fit of scale and bias reproduces the share of pairs that belong together.
    assert np.mean(scores) == pytest.approx(1 / 6, abs=0.01)
