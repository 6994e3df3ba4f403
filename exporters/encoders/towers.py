"""A transformers checkpoint to the tower that encodes one modality.

Of a dual encoder the other tower is loaded and dropped: the classes of transformers that load one
alone take the width of its projection from another place than the whole model does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import nn

from exporters.encoders.torchvision_import import make_torchvision_importable
from exporters.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporters.checkpoints import Checkpoint
    from exporters.encoders.families import Family

AnyFamily = TypeVar("AnyFamily", bound="Family")


@dataclass(frozen=True)
class Tower:
    """One modality's part of a transformers model.

    Attributes:
        network: gives `last_hidden_state` and, in some families, `pooler_output`.
        projection: from the pooled state to the feature; the identity where there is none.
        config: the tower's own config, with its class's defaults for what `config.json` leaves out.
    """

    network: nn.Module
    projection: nn.Module
    config: Any


def find_family(checkpoint: Checkpoint, families: Sequence[AnyFamily]) -> AnyFamily:
    """Finds the family that a checkpoint's `config.json` names.

    Raises:
        EncoderError: it names none of them.
    """
    by_type = {family.model_type: family for family in families}
    model_type = checkpoint.config().get("model_type", "")
    if model_type not in by_type:
        raise EncoderError(
            checkpoint.name,
            f"its family '{model_type}' is not known; known are {', '.join(sorted(by_type))}",
        )
    return by_type[model_type]


def load_tower(checkpoint: Checkpoint, family: Family) -> Tower:
    """Loads one tower, fp32 and on the CPU.

    Raises:
        EncoderError: there are no safetensors, transformers cannot load them, or they hold no
            weights for this tower.
    """
    make_torchvision_importable()
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()  # it counts tensors, which takes no time
    logging.set_verbosity_error()  # lists of unused weights; what must not lack is checked below

    checkpoint.require_safetensors()
    try:
        # Eager attention is the one that the TorchScript exporter turns into plain ONNX operators.
        model, loading = getattr(transformers, family.model_class).from_pretrained(
            checkpoint.folder,
            attn_implementation="eager",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            **family.options,
        )
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise EncoderError(checkpoint.name, f"transformers cannot load it: {error}") from error
    _require_all_weights(checkpoint, family, loading["missing_keys"])
    network = getattr(model, family.tower) if family.tower else model
    projection = getattr(model, family.projection) if family.projection else nn.Identity()
    return Tower(network, projection, network.config)


def _require_all_weights(checkpoint: Checkpoint, family: Family, missing: Iterable[str]) -> None:
    """Refuses random weights, which transformers puts where a checkpoint has none.

    A pooler may be missing: no family but those of dual towers uses one that has weights.
    """
    parts = tuple(f"{part}." for part in (family.tower, family.projection) if part)
    lost = sorted(
        key
        for key in missing
        if (not family.tower or key.startswith(parts)) and not key.startswith("pooler.")
    )
    if lost:
        raise EncoderError(
            checkpoint.name,
            f"it has no weights for {lost[0]} and {len(lost) - 1} more that "
            f"{family.model_class} needs",
        )
