"""Labels as texts in the shared space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from exporters.training.threads import available_cpus, torch_threads
from gateway.contract.zero_shot import label_direction, prompts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from exporters.alignment.projections import Projections
    from exporters.encoders import TextEncoder


def embed_labels(
    encoder: TextEncoder,
    projections: Projections,
    labels: Sequence[str],
    templates: tuple[str, ...],
) -> Tensor:
    """Embeds labels, each within all templates, as the gateway does.

    Args:
        encoder: the text encoder; one prompt at a time, as a lone request would go.
        projections: into the shared space.
        labels: the labels.
        templates: prompts, each with the placeholder.

    Returns:
        float32 (labels, dim), of unit length.
    """
    directions = []
    with torch_threads(available_cpus()), torch.inference_mode():
        for label in labels:
            prompts = []
            for prompt in prompts_of(label, templates):
                ids, mask = encoder.tokenizer.encode_batch([prompt])
                features = encoder.module(torch.from_numpy(ids), torch.from_numpy(mask))
                prompts.append(projections.embed_text(features))
            directions.append(label_direction(torch.cat(prompts).numpy()))
    return torch.stack([torch.from_numpy(each) for each in directions])
