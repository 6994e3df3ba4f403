"""Dual encoders as they stand (CLIP, SigLIP, BLIP): features share a space already, nothing trains.

What is read here is how their cosines become logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safetensors import safe_open
from torch import nn

from exporters.alignment.projections import INITIAL_TEMPERATURE, Projections
from exporters.checkpoints import find_checkpoint
from exporters.encoders.families import TEXT_FAMILIES
from exporters.errors import EncoderError, InvalidRecipeError

if TYPE_CHECKING:
    from exporters.recipe import Recipe

_SCALE: Final = "logit_scale"
_BIAS: Final = "logit_bias"
_PLACES: Final = ("hub", "revision", "folder", "package", "subfolder")


@dataclass(frozen=True)
class CheckpointScoring:
    """How a dual checkpoint was trained to read its cosines.

    Attributes:
        logit_scale: factor of the cosines; where the checkpoint has none, that of an untrained
            InfoNCE, which calibration then mends.
        logit_bias: added to them, or None where it was trained with a softmax over its batch.
    """

    logit_scale: float
    logit_bias: float | None


def require_one_checkpoint(recipe: Recipe) -> None:
    """Refuses two encoders that are not the towers of one checkpoint.

    Raises:
        InvalidRecipeError: they are not.
    """
    text, image = recipe.text_encoder, recipe.image_encoder
    is_one = all(getattr(text, place) == getattr(image, place) for place in _PLACES)
    model_type = find_checkpoint(text).config().get("model_type") if is_one else None
    if not any(family.tower and family.model_type == model_type for family in TEXT_FAMILIES):
        raise InvalidRecipeError(
            recipe.name,
            "dual_tower.projection",
            '"checkpoint" needs [text_encoder] and [image_encoder] to name one CLIP, SigLIP or '
            'BLIP checkpoint; of any other two encoders "trained" makes a dual tower',
        )


def read_scoring(recipe: Recipe) -> CheckpointScoring:
    """Reads the scale and the bias from the checkpoint's weights.

    Raises:
        EncoderError: its weights are no safetensors.
    """
    checkpoint = find_checkpoint(recipe.text_encoder)
    checkpoint.require_safetensors()
    scalars: dict[str, float] = {}
    for file in sorted(checkpoint.folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            for name in (_SCALE, _BIAS):
                if name in weights.keys():  # noqa: SIM118 - it is no dictionary
                    scalars[name] = float(weights.get_tensor(name).float().reshape(-1)[0])
    scale = math.exp(scalars[_SCALE]) if _SCALE in scalars else 1 / INITIAL_TEMPERATURE
    if not math.isfinite(scale):
        raise EncoderError(checkpoint.name, f"its {_SCALE} is not finite")
    return CheckpointScoring(scale, scalars.get(_BIAS))


def projections_of(scoring: CheckpointScoring) -> Projections:
    """The space as it stands: features are brought to unit length, and nothing else."""
    projections = Projections(nn.Identity(), nn.Identity())
    projections.log_scale.data.fill_(math.log(scoring.logit_scale))
    return projections.requires_grad_(requires_grad=False).eval()
