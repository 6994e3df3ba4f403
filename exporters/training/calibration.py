"""Temperature scaling: one number that makes a head's confidence honest.

Guo et al. 2017, "On Calibration of Modern Neural Networks". Each set of modalities has its own
temperature: a head is less sure, and differently wrong, when it sees only one side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

# A handful of validation examples that are all right would drive the temperature to zero.
_MIN_TEMPERATURE: Final = 0.05
_MAX_TEMPERATURE: Final = 20.0


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Finds the temperature that gives the smallest negative log-likelihood.

    Args:
        logits: shape (examples, labels), float32, of examples the head was not fitted on.
        labels: index of the true label, shape (examples,), int64.

    Returns:
        The temperature, within 0.05 to 20; probabilities = softmax(logits / temperature).
    """
    logits = logits.detach().clone().double()
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        bounded = log_temperature.exp().clamp(_MIN_TEMPERATURE, _MAX_TEMPERATURE)
        value = functional.cross_entropy(logits / bounded, labels)
        value.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
        return value.item()

    optimiser.step(loss)  # type: ignore[no-untyped-call] # torch ships this method untyped
    return min(max(log_temperature.exp().item(), _MIN_TEMPERATURE), _MAX_TEMPERATURE)
