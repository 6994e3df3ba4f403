from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from exporters.heads import HEADS
from exporters.recipe import Recipe
from exporters.tasks import single_task
from exporters.training.features import Features
from exporters.training.fit import FittedHead, LabelledFeatures, fit_head
from exporters.training.logits import logits_of
from exporters.training.objective import Targets
from exporters.training.sequences import Sequences, StoredSequences
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLOURS, SHAPES = 3, 2
TASKS = single_task(tuple(str(label) for label in range(COLOURS * SHAPES)))


def recipe_with(head: dict[str, object], training: dict[str, object], seed: int = 0) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "toy",
            "seed": seed,
            "data": {"table": "table.csv"},
            "text_encoder": {"hub": "text"},
            "image_encoder": {"hub": "image"},
            "head": {"hidden_dim": 16, "dropout": 0.1, **head},
            "training": {"epochs": 40, "learning_rate": 0.005, **training},
        }
    )


def examples(count: int, seed: int) -> LabelledFeatures:
    """The text tells the shape, the image the colour; the label is both.

    In the sequences, one token or cell in three tells it, and the others are noise.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = torch.randint(SHAPES, (count,), generator=generator)
    colour = torch.randint(COLOURS, (count,), generator=generator)
    text = torch.nn.functional.one_hot(shape, 8) + 0.2 * torch.randn(count, 8, generator=generator)
    image = torch.nn.functional.one_hot(colour, 12) + 0.2 * torch.randn(
        count, 12, generator=generator
    )

    def sequences(told: torch.Tensor) -> StoredSequences:
        sequence = 0.2 * torch.randn(count, 3, told.shape[1], generator=generator)
        sequence[torch.arange(count), torch.randint(3, (count,), generator=generator)] += told
        halves: NDArray[np.float16] = sequence.half().numpy()
        return StoredSequences.whole(halves, is_ragged=False)

    sides = Sequences(sequences(text), sequences(image))
    features = Features(text, image, sides)
    return LabelledFeatures(features, Targets((shape * COLOURS + colour,)))


def fit(
    head: dict[str, object] | None = None, training: dict[str, object] | None = None, seed: int = 0
) -> FittedHead:
    recipe = recipe_with(head or {}, training or {}, seed)
    return fit_head(recipe, examples(600, 1), examples(100, 2), TASKS)


def accuracy(fitted: FittedHead, modalities: ModalitySet) -> float:
    test = examples(300, 3)
    predicted = logits_of(fitted.head, test.features, modalities).argmax(dim=-1)
    return float((predicted == test.targets.by_task[0]).double().mean())


@pytest.mark.parametrize("head_type", HEADS)
def test_fit_learns_what_needs_both_modalities(head_type: str) -> None:
    fitted = fit({"type": head_type})

    # The text leaves three labels and the image two. Averaged, the one that both allow has 5/12 and
    # the next 1/4: classifiers that never see each other cannot make more of it.
    least = 0.7 if head_type == "probability_average" else 0.9
    assert accuracy(fitted, ModalitySet.BOTH) > least
    # The shape alone leaves three colours to guess from, the colour alone two shapes.
    assert accuracy(fitted, ModalitySet.TEXT) == pytest.approx(1 / COLOURS, abs=0.1)
    assert accuracy(fitted, ModalitySet.IMAGE) == pytest.approx(1 / SHAPES, abs=0.1)


def test_fit_with_modality_dropout_learns_the_null_embeddings() -> None:
    with_dropout, without = fit({"modality_dropout": 0.3}), fit({"modality_dropout": 0.0})

    assert with_dropout.head.null_text.abs().sum() > 0
    assert with_dropout.head.null_image.abs().sum() > 0
    assert without.head.null_text.abs().sum() == 0


@pytest.mark.parametrize("head_type", HEADS)
def test_fit_with_one_seed_gives_the_same_head_bit_by_bit(head_type: str) -> None:
    first = fit({"type": head_type}, {"epochs": 5})
    torch.manual_seed(99)  # what the caller's generator is at must not matter
    second = fit({"type": head_type}, {"epochs": 5})

    assert first.epochs == second.epochs
    for name, value in first.head.state_dict().items():
        assert torch.equal(value, second.head.state_dict()[name]), name


def test_fit_with_another_seed_gives_another_head() -> None:
    first, second = fit(training={"epochs": 2}), fit(training={"epochs": 2}, seed=1)

    assert first.epochs != second.epochs


def test_fit_leaves_the_callers_generator_and_threads_alone() -> None:
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(training={"epochs": 1})

    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_fit_stops_after_the_patience_and_keeps_the_best_epoch() -> None:
    fitted = fit(training={"epochs": 200, "patience": 3, "learning_rate": 0.05})

    losses = [epoch.validation_loss for epoch in fitted.epochs]
    assert len(losses) < 200
    assert len(losses) == fitted.best_epoch + 1 + 3
    assert losses[fitted.best_epoch] == min(losses)
    validation = examples(100, 2)
    kept = [
        float(
            torch.nn.functional.cross_entropy(
                logits_of(fitted.head, validation.features, modalities),
                validation.targets.by_task[0],
            )
        )
        for modalities in ModalitySet
    ]
    assert sum(kept) / 3 == pytest.approx(min(losses), rel=1e-6)


def test_balanced_class_weights_raise_the_recall_of_a_rare_label() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(600, generator=generator) < 0.05).long()
    text = labels[:, None] * 0.8 + torch.randn(600, 4, generator=generator)
    data = LabelledFeatures(Features(text, torch.zeros(600, 4)), Targets((labels,)))

    def recall(class_weights: str) -> float:
        recipe = recipe_with({}, {"class_weights": class_weights, "epochs": 15})
        fitted = fit_head(recipe, data, data, single_task(("common", "rare")))
        predicted = logits_of(fitted.head, data.features, ModalitySet.BOTH).argmax(dim=-1)
        return float((predicted[labels == 1] == 1).double().mean())

    assert recall("balanced") > recall("none") + 0.2
