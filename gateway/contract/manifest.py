"""The manifest of a published ensemble: what the gateway must know of a variant.

Exporters write it as JSON into the ensemble's `config.pbtxt` under `MANIFEST_PARAMETER`; the
gateway and the local launcher read it over ModelConfig or from the file. No shared volume, no
second source of truth.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_PARAMETER: Final = "diptych_manifest"

Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModalitySet(StrEnum):
    """Which inputs a request has, and so which of a variant's three ensembles answers it."""

    BOTH = "both"
    TEXT = "text"
    IMAGE = "image"

    @property
    def has_image(self) -> bool:
        """Whether this set holds an image."""
        return self is not ModalitySet.TEXT

    @property
    def has_text(self) -> bool:
        """Whether this set holds a text."""
        return self is not ModalitySet.IMAGE


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quality(_Frozen):
    """Measured on held-out examples, with the modalities of this ensemble alone."""

    examples: Annotated[int, Field(ge=1)]
    accuracy: Ratio
    macro_f1: Ratio
    expected_calibration_error: Ratio


class ParityPassport(_Frozen):
    """The proof that what Triton serves equals the trained torch fp32 model.

    `max_abs_difference` is over all probabilities of all samples; a sample whose most likely label
    differs is a label flip.
    """

    has_passed: bool
    samples: Annotated[int, Field(ge=1)]
    max_abs_difference: Annotated[float, Field(ge=0.0)]
    label_flips: Annotated[int, Field(ge=0)]
    tolerance: Annotated[float, Field(gt=0.0)]
    precision: str
    device: str


class Limits(_Frozen):
    """What the ensemble's own preprocessing accepts."""

    max_image_pixels: Annotated[int, Field(ge=1)]
    max_text_tokens: Annotated[int, Field(ge=1)]


class Provenance(_Frozen):
    """Where the variant comes from."""

    recipe: str
    recipe_digest: Digest
    data_digest: Digest
    text_encoder: str
    image_encoder: str
    head: str
    seed: int
    created_at: datetime
    versions: dict[str, str]


class EnsembleManifest(_Frozen):
    """All that the gateway must know of one ensemble.

    `digest` identifies the variant (weights, graphs, preprocessing, labels) and is the same in its
    three ensembles; `temperature` and `quality` belong to this ensemble's modalities. `parity` is
    None until the proof was run: nothing routes to such an ensemble.
    """

    schema_version: Literal[1] = 1
    variant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    digest: Digest
    modalities: ModalitySet
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    temperature: Annotated[float, Field(gt=0.0)]
    quality: Quality
    parity: ParityPassport | None
    expected_device: Literal["cpu", "gpu"]
    limits: Limits
    provenance: Provenance
