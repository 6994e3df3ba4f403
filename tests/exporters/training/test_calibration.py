from __future__ import annotations

import pytest
import torch

from exporters.training.calibration import fit_temperature


def sampled_labels(honest_logits: torch.Tensor) -> torch.Tensor:
    """Labels drawn from the probabilities of `honest_logits`, which are so calibrated."""
    generator = torch.Generator().manual_seed(0)
    return torch.multinomial(honest_logits.softmax(dim=-1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5, 8.0])
def test_temperature_undoes_the_scale_of_logits(factor: float) -> None:
    honest = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(1)) * 2

    temperature = fit_temperature(honest * factor, sampled_labels(honest))

    # 20,000 examples know the scale to about 1 %.
    assert temperature == pytest.approx(factor, rel=0.04)


def test_temperature_of_logits_that_are_always_right_stays_above_its_bound() -> None:
    logits = torch.eye(5).repeat(10, 1)

    assert fit_temperature(logits, torch.arange(5).repeat(10)) == pytest.approx(0.05, abs=0.05)


def test_temperature_of_logits_that_say_nothing_stays_below_its_bound() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 100 * torch.randn(500, 5, generator=generator)
    labels = torch.randint(5, (500,), generator=generator)

    assert 10 < fit_temperature(logits, labels) <= 20
