"""Logits of several tasks side by side, for heads that reckon with what a classifier says.

A head that ends in a linear layer needs none of this: its logits are as many as all labels. Late
fusion works on probabilities, which are normalised within each task by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from exporters.tasks import slices_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from exporters.tasks import Task


def evidence(logits: Tensor, tasks: Sequence[Task]) -> Tensor:
    """Returns what logits say, freed of what they leave open.

    Logits of one label mean the same with any number added to all: they become log-probabilities.
    Those of a multi-label task are log-odds as they stand.

    Args:
        logits: shape (..., labels of all tasks).
        tasks: in the order of the logits.
    """
    parts = [
        logits[..., place] if task.is_multi_label else logits[..., place].log_softmax(dim=-1)
        for place, task in zip(slices_of(tasks), tasks, strict=True)
    ]
    return torch.cat(parts, dim=-1)


def average_answers(voters: Tensor, tasks: Sequence[Task]) -> Tensor:
    """Returns the logits of the mean probability of several classifiers.

    Args:
        voters: their logits, shape (voters, batch, labels of all tasks).
        tasks: in the order of the logits.

    Returns:
        Shape (batch, labels of all tasks): log-probabilities, or log-odds in a multi-label task.
    """
    parts = []
    for place, task in zip(slices_of(tasks), tasks, strict=True):
        logits = voters[..., place]
        if task.is_multi_label:
            applies = functional.logsigmoid(logits).logsumexp(dim=0)
            parts.append(applies - functional.logsigmoid(-logits).logsumexp(dim=0))
        else:
            # Not divided by their number: a constant changes no probability.
            parts.append(logits.log_softmax(dim=-1).logsumexp(dim=0))
    return torch.cat(parts, dim=-1)
