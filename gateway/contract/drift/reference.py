"""What the exporter writes of the data that a variant was made from, and measured on.

Fitted on training examples: projections, the language profile. Drawn from examples that nothing was
fitted on: everything that a window is compared with. It travels as JSON in the config parameter
`REFERENCE_PARAMETER` of the variant's ensemble `both`; a variant without one is served as any
other, and its drift is not watched.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.contract.drift.packing import PackedArray
from gateway.contract.manifest import ModalitySet

REFERENCE_PARAMETER: Final = "diptych_drift_reference"
ONLY_TASK: Final = ""
"""Stands for the task of a variant that names none."""

MAX_REFERENCE_BYTES: Final = 1024 * 1024
"""Largest JSON: every look at a server's repository carries it."""

Rows = Annotated[float, Field(gt=1.0)]
"""How many independent examples a sample is worth: fewer than it has where examples come in groups
of near twins (the design effect of Kish 1965, "Survey Sampling")."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EmbeddingReference(_Frozen):
    """The distribution of one modality's features; see `embedding.EmbeddingTest`.

    Attributes:
        centre: shape (dim,).
        axes: shape (components, dim), in steps of `axis_scales`.
        axis_scales: shape (components,).
        residual_scale: of the last coordinate.
        frequencies: shape (waves, components + 1).
        kernel_mean: mean of the kernel features, shape (2 waves,).
        kernel_eigenvalues: of their covariance, shape (2 waves,) or fewer.
        effective_rows: what the mean is worth.
    """

    centre: PackedArray
    axes: PackedArray
    axis_scales: PackedArray
    residual_scale: Annotated[float, Field(ge=0.0)]
    frequencies: PackedArray
    kernel_mean: PackedArray
    kernel_eigenvalues: PackedArray
    effective_rows: Rows

    @property
    def dim(self) -> int:
        """Width of the features."""
        return self.centre.shape[0]


class ValuesReference(_Frozen):
    """A sample of numbers: all of them, or evenly spaced order statistics; ascending."""

    values: PackedArray
    effective_rows: Rows


class CategoriesReference(_Frozen):
    """How often each category was seen."""

    counts: Annotated[dict[str, Annotated[int, Field(ge=0)]], Field(min_length=1)]
    effective_rows: Rows


class AgreementReference(_Frozen):
    """How well images and texts go together; see `agreement.Agreement`."""

    image: PackedArray
    text: PackedArray
    scores: ValuesReference


class PropertiesReference(_Frozen):
    """What inputs of one modality look like from outside, by the name of the property."""

    values: dict[str, ValuesReference]
    categories: dict[str, CategoriesReference]


class AnswersReference(_Frozen):
    """What the variant said of held-out examples with the inputs of one modality set."""

    labels: CategoriesReference
    confidence: ValuesReference


class DriftReference(_Frozen):
    """All that windows of traffic are compared with.

    Attributes:
        schema_version: of this form; a gateway that does not know it watches nothing.
        image, text: the features.
        agreement: of pairs.
        image_properties, text_properties: of the raw inputs.
        language_profile: see `language.language_profile`.
        answers: of its first task, by modality set; empty for a dual tower, whose labels come with
            each request.
        first_task: name of that task; empty, and not written, where the variant names none.
        other_tasks: the same of its other tasks, by name; not written where there are none.
    """

    schema_version: Literal[1] = 1
    image: EmbeddingReference
    text: EmbeddingReference
    agreement: AgreementReference
    image_properties: PropertiesReference
    text_properties: PropertiesReference
    language_profile: PackedArray
    answers: dict[ModalitySet, AnswersReference] = {}
    first_task: Annotated[str, Field(exclude_if=lambda name: not name)] = ONLY_TASK
    other_tasks: Annotated[
        dict[str, dict[ModalitySet, AnswersReference]], Field(exclude_if=lambda tasks: not tasks)
    ] = {}

    def answers_to(self, modalities: ModalitySet) -> dict[str, AnswersReference]:
        """Returns the answers with the inputs of one modality set, by task, the first one first."""
        tasks = {self.first_task: self.answers, **self.other_tasks}
        return {task: found[modalities] for task, found in tasks.items() if modalities in found}
