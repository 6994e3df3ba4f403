"""The manifest of a published ensemble: what the gateway must know of a variant.

Exporters write it as JSON into the ensemble's `config.pbtxt` under `MANIFEST_PARAMETER`; the
gateway and the local launcher read it over ModelConfig or from the file. No shared volume, no
second source of truth.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from gateway.contract.zero_shot import PLACEHOLDER, is_template

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


class VariantKind(StrEnum):
    """Where a variant's labels come from: from its training, or from each request."""

    CLASSIFIER = "classifier"
    DUAL_TOWER = "dual_tower"


def _require_template(text: str) -> str:
    if not is_template(text):
        message = f"a prompt template holds {PLACEHOLDER} exactly once"
        raise ValueError(message)
    return text


Template = Annotated[str, AfterValidator(_require_template)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quality(_Frozen):
    """Measured on held-out examples, with the modalities of this ensemble alone."""

    examples: Annotated[int, Field(ge=1)]
    accuracy: Ratio
    macro_f1: Ratio
    expected_calibration_error: Ratio


class TaskManifest(_Frozen):
    """One set of labels of a variant that has several, or whose items may have several labels.

    Attributes:
        name: what the answer calls it.
        kind: `one` label (softmax), or `several` (sigmoid), none included.
        labels: in the order of its logits.
        temperature: its logits are divided by it.
        thresholds: where `several`, one a label: it applies when its probability is above.
        quality: measured on the held-out examples that are labelled in it; with several labels,
            accuracy is the share whose set of labels is exactly right.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    kind: Literal["one", "several"]
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    temperature: Annotated[float, Field(gt=0.0)]
    thresholds: tuple[Ratio, ...] = ()
    quality: Quality

    @model_validator(mode="after")
    def _has_a_threshold_a_label(self) -> Self:
        if len(self.thresholds) != (len(self.labels) if self.kind == "several" else 0):
            message = f"task '{self.name}' wants a threshold for each of several labels, else none"
            raise ValueError(message)
        return self


class DistanceToOriginal(_Frozen):
    """How far a compressed variant's probabilities are from those of the torch fp32 model.

    It is reported, not bounded: what compression costs is told by `Quality`.
    """

    samples: Annotated[int, Field(ge=1)]
    max_abs_difference: Annotated[float, Field(ge=0.0)]
    label_flips: Annotated[int, Field(ge=0)]


class ParityPassport(_Frozen):
    """The proof that what Triton serves equals the model that was evaluated.

    That is the trained torch fp32 model, or, of a compressed variant, the compressed model run
    directly; `distance_to_original` then says how far it is from the former. `max_abs_difference`
    is over all probabilities of all samples; a sample whose most likely label differs is a label
    flip.
    """

    has_passed: bool
    samples: Annotated[int, Field(ge=1)]
    max_abs_difference: Annotated[float, Field(ge=0.0)]
    label_flips: Annotated[int, Field(ge=0)]
    tolerance: Annotated[float, Field(gt=0.0)]
    precision: str
    device: str
    distance_to_original: DistanceToOriginal | None = None


class Limits(_Frozen):
    """What the ensemble's own preprocessing accepts."""

    max_image_pixels: Annotated[int, Field(ge=1)]
    max_text_tokens: Annotated[int, Field(ge=1)]


class DualTower(_Frozen):
    """How an ensemble that embeds is made to classify into labels given at request time.

    logits = logit_scale * cosines + logit_bias. `softmax` shares one probability out among the
    labels that were given; `sigmoid` gives each label a probability of its own (Zhai et al. 2023,
    "Sigmoid Loss for Language Image Pre-Training"). `templates` are the prompts of a request that
    names none; `measured_labels` are those that `quality` was measured with.
    """

    embedding_dim: Annotated[int, Field(ge=1)]
    activation: Literal["softmax", "sigmoid"]
    logit_scale: Annotated[float, Field(gt=0.0)]
    logit_bias: float
    templates: Annotated[tuple[Template, ...], Field(min_length=1)]
    measured_labels: Annotated[tuple[str, ...], Field(min_length=2)]


class Lineage(_Frozen):
    """What a retrained variant was made from, beside the recipe's own data.

    Attributes:
        parent: the variant that served, and that it was judged against.
        parent_digest: of it.
        feedback_since, feedback_until: when the first and the last of its labelled predictions was
            made.
        feedback_examples: labelled predictions that it was fitted and judged on.
        feedback_digest: of these predictions and their labels.
        feedback_share: of the loss that it was fitted to, 0 to 1; the rest is the recipe's data.
        parent_accuracy, accuracy: of both on recent examples that nothing was fitted on.
        drift_reference_examples: of the recent ones, on which its drift reference stands; None, and
            not written: it stands on the recipe's data.
    """

    parent: str
    parent_digest: Digest
    feedback_since: datetime
    feedback_until: datetime
    feedback_examples: Annotated[int, Field(ge=1)]
    feedback_digest: Digest
    feedback_share: Ratio
    parent_accuracy: Ratio
    accuracy: Ratio
    drift_reference_examples: Annotated[
        int | None, Field(ge=1, exclude_if=lambda examples: examples is None)
    ] = None


class Provenance(_Frozen):
    """Where the variant comes from.

    `compression` names what made it smaller, in order; `lineage` is there when it was
    retrained from feedback, and else not written.
    """

    recipe: str
    recipe_digest: Digest
    data_digest: Digest
    text_encoder: str
    image_encoder: str
    head: str
    seed: int
    created_at: datetime
    versions: dict[str, str]
    compression: tuple[str, ...] = ()
    lineage: Annotated[Lineage | None, Field(exclude_if=lambda lineage: lineage is None)] = None


class EnsembleManifest(_Frozen):
    """All that the gateway must know of one ensemble.

    `digest` identifies the variant (weights, graphs, preprocessing, labels) and is the same in its
    three ensembles; `temperature` and `quality` belong to this ensemble's modalities. `parity` is
    None until the proof was run: nothing routes to such an ensemble. A classifier has `labels`; a
    dual tower has `dual_tower` instead.

    `tasks` is empty for a variant that gives one label of one set, and then not written: such
    manifests stay of schema version 1. Where there are tasks, it is version 2, which a gateway that
    knows no tasks refuses; `labels` are then those of all tasks, side by side as the logits are,
    `temperature` and `quality` those of the first.
    """

    schema_version: Literal[1, 2] = 1
    variant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    digest: Digest
    modalities: ModalitySet
    labels: tuple[str, ...] = ()
    dual_tower: DualTower | None = None
    temperature: Annotated[float, Field(gt=0.0)]
    quality: Quality
    tasks: Annotated[tuple[TaskManifest, ...], Field(exclude_if=lambda tasks: not tasks)] = ()
    parity: ParityPassport | None
    expected_device: Literal["cpu", "gpu"]
    limits: Limits
    provenance: Provenance

    @property
    def kind(self) -> VariantKind:
        """Where the labels come from."""
        return VariantKind.CLASSIFIER if self.dual_tower is None else VariantKind.DUAL_TOWER

    @model_validator(mode="after")
    def _has_labels_or_towers(self) -> Self:
        if self.dual_tower is None and len(self.labels) < (1 if self.tasks else 2):
            message = "a classifier has at least two labels"
            raise ValueError(message)
        if self.dual_tower is not None and self.labels:
            message = "a dual tower has no labels of its own"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _has_tasks_of_all_labels(self) -> Self:
        if (self.schema_version == 2) != bool(self.tasks):
            message = "tasks and schema_version 2 come together"
            raise ValueError(message)
        if self.tasks and self.labels != tuple(x for task in self.tasks for x in task.labels):
            message = "labels are not those of the tasks, side by side"
            raise ValueError(message)
        return self
