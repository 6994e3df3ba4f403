from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from exporters.recipe_sections import TaskRecipe
from exporters.tasks import Task
from exporters.training.calibration import calibrate, fit_f1_threshold
from exporters.training.objective import Objective, Targets, task_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = Task("kind", ("a", "b", "c"))
TAGS = Task("tags", ("x", "y"), is_multi_label=True)
OBJECTIVE = Objective((KIND, TAGS), (1.0, 2.0), (None, None))


def targets(kinds: list[int], tags: list[list[float]]) -> Targets:
    return Targets((torch.tensor(kinds), torch.tensor(tags)))


def test_loss_is_the_weighted_sum_of_the_tasks_on_what_is_labelled() -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    nan = torch.nan
    truth = targets([0, -1, 2, -1], [[1, 0], [0, 0], [nan, nan], [1, 1]])

    loss = OBJECTIVE.loss(logits, truth, is_weighted=True)

    by_kind = logits[:, :3].log_softmax(dim=1)
    kind = -(by_kind[0, 0] + by_kind[2, 2]) / 2
    probability = logits[:, 3:].sigmoid()
    rows, applies = [0, 1, 3], torch.tensor([[1.0, 0], [0, 0], [1, 1]])
    likelihood = torch.where(applies > 0, probability[rows], 1 - probability[rows]).log()
    tags = -likelihood.sum() / 3
    # float32 logarithms, in another order
    assert float(loss) == pytest.approx(float(kind + 2 * tags), rel=1e-5)


def test_batch_without_a_labelled_row_has_no_loss_and_no_gradient() -> None:
    logits = torch.randn(3, 3, requires_grad=True)

    loss = task_loss(logits, KIND, torch.tensor([-1, -1, -1]))
    loss.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped

    assert loss == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def f1_at(
    threshold: float, probabilities: NDArray[np.float64], applies: NDArray[np.bool_]
) -> float:
    taken = probabilities > threshold
    return float(2 * (taken & applies).sum() / (taken.sum() + applies.sum()))


def test_f1_threshold_is_the_best_of_all_cuts() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        applies = rng.random(60) < 0.2
        probabilities = np.round(np.clip(0.3 * applies + rng.random(60) * 0.6, 0, 1), 2)  # ties

        best = max(f1_at(cut, probabilities, applies) for cut in np.linspace(-0.005, 0.995, 201))

        threshold = fit_f1_threshold(probabilities, applies)
        assert f1_at(threshold, probabilities, applies) == pytest.approx(best)


def test_calibration_mends_the_confidence_of_each_task_by_itself() -> None:
    generator = torch.Generator().manual_seed(1)
    honest = 2 * torch.randn(4000, 5, generator=generator)
    kinds = torch.multinomial(honest[:, :3].softmax(dim=1), 1, generator=generator).squeeze(1)
    tags = torch.bernoulli(honest[:, 3:].sigmoid(), generator=generator)
    boasting = torch.cat([3 * honest[:, :3], 0.5 * honest[:, 3:]], dim=1)
    asked = (
        TaskRecipe(name="kind"),
        TaskRecipe(name="tags", kind="several", thresholds={"y": 0.4}),
    )

    kind, tag = calibrate(asked, (KIND, TAGS), boasting, Targets((kinds, tags)))

    # 4000 examples know a temperature to a few per cent
    assert kind.temperature == pytest.approx(3, rel=0.1)
    assert tag.temperature == pytest.approx(0.5, rel=0.1)
    assert kind.thresholds == ()
    assert tag.thresholds[1] == 0.4
    assert 0.2 < tag.thresholds[0] < 0.6
