from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
import torch

from exporters.conversion.graphs import IMAGE_FEATURES, TEXT_FEATURES, export_head
from exporters.errors import UnknownNameError
from exporters.heads import HEADS, FusionHead, build_head, fusion_head, head_for
from exporters.heads.probability_average import ProbabilityAverage
from exporters.heads.soft_vote import SoftVote
from exporters.heads.stacking import Stacking
from exporters.heads.weighted_sum import WeightedSum
from exporters.recipe_sections import HeadRecipe
from exporters.tasks import Task, single_task, slices_of, task_probabilities
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

TEXT_DIM, IMAGE_DIM, LABELS, ROWS = 12, 20, 5, 7
LENGTH = 6
TASKS = single_task(("a", "b", "c", "d", "e"))
SEVERAL = (
    Task("kind", ("a", "b")),
    Task("tags", ("x", "y", "z"), is_multi_label=True),
)


@pytest.fixture(params=sorted(HEADS))
def head(request: pytest.FixtureRequest) -> FusionHead:
    torch.manual_seed(0)
    recipe = HeadRecipe(type=request.param, hidden_dim=16)
    head = build_head(recipe, text_dim=TEXT_DIM, image_dim=IMAGE_DIM, tasks=TASKS)
    with torch.no_grad():
        head.null_text.normal_()
        head.null_image.normal_()
    head.fit_standardisation(torch.randn(50, TEXT_DIM) * 3 + 1, torch.randn(50, IMAGE_DIM) - 2)
    return head.eval()


def inputs_of(head: FusionHead | None, dim: int, seed: int) -> torch.Tensor:
    """Features, or sequences of which some are padded."""
    noise = torch.Generator().manual_seed(seed)
    if head is None or not head.is_over_sequences:
        return torch.randn(ROWS, dim, generator=noise)
    sequences = torch.randn(ROWS, LENGTH, dim, generator=noise)
    for row, length in enumerate((1, 3, LENGTH, 2, 5, LENGTH, 4)):
        sequences[row, length:] = 0.0
    return sequences


def asked_head(request: pytest.FixtureRequest) -> FusionHead | None:
    return request.getfixturevalue("head") if "head" in request.fixturenames else None


@pytest.fixture
def text(request: pytest.FixtureRequest) -> torch.Tensor:
    return inputs_of(asked_head(request), TEXT_DIM, seed=1)


@pytest.fixture
def image(request: pytest.FixtureRequest) -> torch.Tensor:
    return inputs_of(asked_head(request), IMAGE_DIM, seed=2)


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
    head = build_head(HeadRecipe(), text_dim=TEXT_DIM, image_dim=IMAGE_DIM, tasks=TASKS)
    text, image = torch.randn(200, TEXT_DIM) * 5 + 3, torch.randn(200, IMAGE_DIM) * 0.1 - 4
    image[:, 0] = 1.0  # a feature that never varies must not divide by zero
    head.fit_standardisation(text, image)

    standardised = head.standardise_text(text)
    torch.testing.assert_close(standardised.mean(dim=0), torch.zeros(TEXT_DIM), atol=1e-5, rtol=0)
    torch.testing.assert_close(standardised.std(dim=0), torch.ones(TEXT_DIM))
    assert head.standardise_image(image).isfinite().all()


def test_unknown_head_names_the_registered_ones() -> None:
    with pytest.raises(UnknownNameError) as caught:
        build_head(
            HeadRecipe(type="transfusion"), text_dim=1, image_dim=1, tasks=single_task(("a", "b"))
        )

    assert all(name in caught.value.remedy for name in HEADS)


def test_second_head_of_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gated.*exporters\.heads\.gated"):
        fusion_head("gated")(WeightedSum)

    assert HEADS["gated"] is not WeightedSum


@pytest.mark.parametrize("name", HEADS)
def test_head_is_one_file_of_fewer_than_80_lines(name: str) -> None:
    module = inspect.getmodule(HEADS[name])

    assert module is not None
    assert module.__name__ == f"exporters.heads.{name}"
    assert len(inspect.getsource(module).splitlines()) < 80


@pytest.mark.parametrize("modalities", ModalitySet)
def test_head_exports_for_every_modality_set(
    head: FusionHead, modalities: ModalitySet, tmp_path: Path
) -> None:
    over = head.is_over_sequences
    inputs: dict[str, tuple[int, ...]] = {}
    if modalities.has_text:
        inputs[TEXT_FEATURES] = (-1, TEXT_DIM) if over else (TEXT_DIM,)
    if modalities.has_image:
        inputs[IMAGE_FEATURES] = (LENGTH, IMAGE_DIM) if over else (IMAGE_DIM,)

    # Raises when the graph's numbers are not the head's, at another batch size than it was traced.
    export_head(head_for(head, modalities).eval(), inputs, tmp_path / "head.onnx")

    assert (tmp_path / "head.onnx").stat().st_size > 0


def test_fitted_logits_end_with_what_is_fused_where_the_fusion_is_learned(
    head: FusionHead, text: torch.Tensor, image: torch.Tensor
) -> None:
    fitted = head.fitted_logits(*head.prepare(text, image))

    assert all(logits.shape == (ROWS, LABELS) for logits in fitted)
    if not isinstance(head, ProbabilityAverage | SoftVote):  # which learn nothing about the fusion
        torch.testing.assert_close(fitted[-1], head(text, image))


def test_learned_weights_sum_to_one_where_there_are_any(head: FusionHead) -> None:
    weights = head.learned_weights()

    assert bool(weights) == isinstance(head, WeightedSum)
    if weights:
        assert sum(weights.values()) == pytest.approx(1.0)


def build(name: str) -> FusionHead:
    torch.manual_seed(0)
    recipe = HeadRecipe(type=name, hidden_dim=16, dropout=0.0)
    return build_head(recipe, text_dim=TEXT_DIM, image_dim=IMAGE_DIM, tasks=TASKS)


def test_weighted_sum_that_listens_to_the_text_alone_does_not_hear_the_image(
    text: torch.Tensor, image: torch.Tensor
) -> None:
    head = build("weighted_sum")
    assert isinstance(head, WeightedSum)
    assert head.learned_weights() == {"text": 0.5, "image": 0.5}
    with torch.no_grad():
        head.balance.fill_(10.0)  # the sigmoid of 100 is 1 in fp32

    assert head.learned_weights() == {"text": 1.0, "image": 0.0}
    torch.testing.assert_close(head(text, image), head(text, image + 5))


def test_probability_average_is_the_mean_of_the_sides(
    text: torch.Tensor, image: torch.Tensor
) -> None:
    head = build("probability_average")
    assert isinstance(head, ProbabilityAverage)

    sides = [logits.softmax(dim=-1) for logits in head.sides(text, image)]
    torch.testing.assert_close(head(text, image).softmax(dim=-1), sum(sides) / 2)


def test_soft_vote_of_two_against_one_goes_to_the_two(monkeypatch: pytest.MonkeyPatch) -> None:
    head = build("soft_vote")
    assert isinstance(head, SoftVote)
    sure = 5 * torch.eye(LABELS)
    # The one is far surer, which would win an average of logits.
    monkeypatch.setattr(head, "fitted_logits", lambda *_: (sure[[1]], sure[[1]], 9 * sure[[2]]))

    shares = head(torch.zeros(1, TEXT_DIM), torch.zeros(1, IMAGE_DIM)).softmax(dim=-1)

    assert shares.argmax().item() == 1
    # The losers' part of a ballot is 4 e^-20.
    assert shares[0, 1].item() == pytest.approx(2 / 3, abs=1e-6)


def test_stacking_starts_as_the_product_of_the_sides(
    text: torch.Tensor, image: torch.Tensor
) -> None:
    head = build("stacking")
    assert isinstance(head, Stacking)
    text_logits, image_logits = head.sides(text, image)

    product = (text_logits + image_logits).softmax(dim=-1)
    torch.testing.assert_close(head(text, image).softmax(dim=-1), product)


def test_upper_level_of_stacking_leaves_the_lower_one_alone(
    text: torch.Tensor, image: torch.Tensor
) -> None:
    head = build("stacking")

    stacked = head.fitted_logits(text, image)[-1]
    stacked[:, 0].sum().backward()  # type: ignore[no-untyped-call] # torch ships this method untyped

    touched = {name for name, value in head.named_parameters() if value.grad is not None}
    assert touched == {"upper.weight", "upper.bias"}


@pytest.mark.parametrize("name", HEADS)
def test_tasks_side_by_side_answer_for_all_labels(name: str) -> None:
    head = build_head(HeadRecipe(type=name), text_dim=TEXT_DIM, image_dim=IMAGE_DIM, tasks=SEVERAL)

    sides = [inputs_of(head, dim, seed=1) for dim in (TEXT_DIM, IMAGE_DIM)]

    assert head(*sides).shape == (ROWS, 5)


def test_probability_average_averages_within_each_task_by_itself() -> None:
    torch.manual_seed(0)
    recipe = HeadRecipe(type="probability_average", hidden_dim=16, dropout=0.0)
    head = build_head(recipe, text_dim=TEXT_DIM, image_dim=IMAGE_DIM, tasks=SEVERAL).eval()
    text, image = torch.randn(ROWS, TEXT_DIM), torch.randn(ROWS, IMAGE_DIM)

    with torch.inference_mode():
        fused = head.fuse(text, image).numpy()
        sides = [side.numpy() for side in head.fitted_logits(text, image)]

    for task, place in zip(SEVERAL, slices_of(SEVERAL), strict=True):
        both = [task_probabilities(side[:, place], task, 1.0) for side in sides]
        # fp32 logarithms and exponentials on the way
        assert task_probabilities(fused[:, place], task, 1.0) == pytest.approx(
            (both[0] + both[1]) / 2, abs=1e-6
        )
