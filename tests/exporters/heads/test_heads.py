from __future__ import annotations

import pytest
import torch

from exporters.errors import UnknownNameError
from exporters.heads import HEADS, FusionHead, build_head, head_for
from exporters.recipe import HeadRecipe
from gateway.contract.manifest import ModalitySet

TEXT_DIM, IMAGE_DIM, LABELS, ROWS = 12, 20, 5, 7


@pytest.fixture(params=sorted(HEADS))
def head(request: pytest.FixtureRequest) -> FusionHead:
    torch.manual_seed(0)
    recipe = HeadRecipe(type=request.param, hidden_dim=16)
    head = build_head(recipe, text_dim=TEXT_DIM, image_dim=IMAGE_DIM, labels=LABELS)
    with torch.no_grad():
        head.null_text.normal_()
        head.null_image.normal_()
    head.fit_standardisation(torch.randn(50, TEXT_DIM) * 3 + 1, torch.randn(50, IMAGE_DIM) - 2)
    return head.eval()


@pytest.fixture
def text() -> torch.Tensor:
    return torch.randn(ROWS, TEXT_DIM, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(ROWS, IMAGE_DIM, generator=torch.Generator().manual_seed(2))


def test_head_gives_a_logit_a_label(
    head: FusionHead, text: torch.Tensor, image: torch.Tensor
) -> None:
    assert head(text, image).shape == (ROWS, LABELS)


def test_views_agree_with_the_masks_that_training_uses(
    head: FusionHead, text: torch.Tensor, image: torch.Tensor
) -> None:
    present = torch.ones(ROWS, dtype=torch.bool)
    masked = {
        ModalitySet.BOTH: head(text, image, present, present),
        ModalitySet.TEXT: head(text, image, present, ~present),
        ModalitySet.IMAGE: head(text, image, ~present, present),
    }
    viewed = {
        ModalitySet.BOTH: head_for(head, ModalitySet.BOTH)(text, image),
        ModalitySet.TEXT: head_for(head, ModalitySet.TEXT)(text),
        ModalitySet.IMAGE: head_for(head, ModalitySet.IMAGE)(image),
    }

    for modalities in ModalitySet:
        torch.testing.assert_close(viewed[modalities], masked[modalities])


def test_absent_modality_has_no_influence(
    head: FusionHead, text: torch.Tensor, image: torch.Tensor
) -> None:
    absent = torch.zeros(ROWS, dtype=torch.bool)

    torch.testing.assert_close(
        head(text, image, ~absent, absent), head(text, image + 100, ~absent, absent)
    )


def test_masks_act_row_by_row(head: FusionHead, text: torch.Tensor, image: torch.Tensor) -> None:
    has_text = torch.arange(ROWS) % 2 == 0
    mixed = head(text, image, has_text, torch.ones(ROWS, dtype=torch.bool))

    # A row's sum may be taken in another order in a batch of another size.
    torch.testing.assert_close(mixed[has_text], head(text, image)[has_text])
    without = head_for(head, ModalitySet.IMAGE)(image)
    torch.testing.assert_close(mixed[~has_text], without[~has_text])


def test_standardisation_makes_training_features_centred_and_of_unit_deviation() -> None:
    head = build_head(HeadRecipe(), text_dim=TEXT_DIM, image_dim=IMAGE_DIM, labels=LABELS)
    text, image = torch.randn(200, TEXT_DIM) * 5 + 3, torch.randn(200, IMAGE_DIM) * 0.1 - 4
    image[:, 0] = 1.0  # a feature that never varies must not divide by zero
    head.fit_standardisation(text, image)

    standardised = head.standardise_text(text)
    torch.testing.assert_close(standardised.mean(dim=0), torch.zeros(TEXT_DIM), atol=1e-5, rtol=0)
    torch.testing.assert_close(standardised.std(dim=0), torch.ones(TEXT_DIM))
    assert head.standardise_image(image).isfinite().all()


def test_unknown_head_names_the_registered_ones() -> None:
    with pytest.raises(UnknownNameError) as caught:
        build_head(HeadRecipe(type="transfusion"), text_dim=1, image_dim=1, labels=2)

    assert all(name in caught.value.remedy for name in HEADS)
