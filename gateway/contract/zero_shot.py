"""Zero-shot classification: what exporters measure and the gateway serves is this same arithmetic.

A dual tower puts images and texts into one space. A label is put there as a text, within a prompt;
the logit of a label is its cosine with the query, scaled (Radford et al. 2021, "Learning
Transferable Visual Models From Natural Language Supervision").
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

PLACEHOLDER: Final = "{label}"
"""Where a prompt template takes the label."""

Vectors: TypeAlias = NDArray[np.float32]

_TINY: Final = np.finfo(np.float32).tiny


def is_template(text: str) -> bool:
    """Whether a prompt template holds the placeholder exactly once."""
    return text.count(PLACEHOLDER) == 1


def prompts_of(label: str, templates: tuple[str, ...]) -> tuple[str, ...]:
    """Puts a label into each template."""
    return tuple(template.replace(PLACEHOLDER, label) for template in templates)


def label_direction(prompts: Vectors) -> Vectors:
    """Averages the embeddings of one label's prompts (Radford et al. 2021, section 3.1.4).

    Args:
        prompts: shape (templates, dim), of unit length each.

    Returns:
        Shape (dim,), of unit length.
    """
    mean: Vectors = prompts.mean(axis=0)
    direction: Vectors = (mean / np.maximum(np.linalg.norm(mean), _TINY)).astype(np.float32)
    return direction


def label_logits(
    queries: Vectors, labels: Vectors, logit_scale: float, logit_bias: float
) -> Vectors:
    """Scores queries against labels.

    Args:
        queries: embeddings, shape (..., dim).
        labels: directions of unit length, shape (labels, dim).
        logit_scale: factor of the cosine.
        logit_bias: added to every logit.

    Returns:
        Shape (..., labels).
    """
    logits: Vectors = logit_scale * (queries @ labels.T) + logit_bias
    return logits
