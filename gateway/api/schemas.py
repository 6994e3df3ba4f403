"""The JSON of the REST API: bodies are validated by these models, answers are documented by them.

Answers are built as plain dictionaries (`rest`), as validating our own output would cost more than
making it; a test holds them against the models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from gateway.catalog import Refusal
from gateway.contract.manifest import Digest, Lineage, ModalitySet, Quality, Ratio, VariantKind
from gateway.placement import Degraded, PoolName
from gateway.readiness import NotReady
from gateway.reuse.source import Source
from gateway.routing.reason import Reason
from gateway.watching.references import ReferenceState


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


PromptTemplate = Annotated[
    StrictStr | list[StrictStr] | None,
    Field(
        description="Prompt that each label is put into, such as `a photo of a {label}`; of "
        "several, the embeddings are averaged. Without it, the variant's own."
    ),
]


class LabelSetBody(_Closed):
    """Labels to keep under a name."""

    labels: Annotated[
        list[StrictStr], Field(description="Labels to classify into; each at most once.")
    ]
    prompt_template: PromptTemplate = None


class LabelSetAnswer(_Closed):
    """A set of labels that can be named in `label_set`."""

    name: str
    labels: list[str]
    prompt_template: Annotated[
        list[str], Field(description="Its prompts; none: the variant's own.")
    ]
    is_persistent: Annotated[
        bool, Field(description="Whether it outlives the process and all replicas have it.")
    ]
    embedded_for: Annotated[
        list[str], Field(description="Variants whose embeddings of all its labels are at hand.")
    ]


class LabelSetsAnswer(_Closed):
    """All sets of labels, by name."""

    label_sets: list[LabelSetAnswer]


class ZeroShotAnswer(_Closed):
    """What is to be known of a variant that takes labels."""

    prompt_template: Annotated[
        list[str], Field(description="Prompts of a request that gives none.")
    ]
    activation: Annotated[
        Literal["softmax", "sigmoid"],
        Field(description="Whether labels share one probability, or each has its own."),
    ]
    measured_labels: Annotated[
        list[str], Field(description="What `quality` was measured with: labels it never saw.")
    ]


class ClassifyBody(_Closed):
    """One item to classify: an image, a text, or both."""

    image: Annotated[StrictStr | None, Field(description="Image file in base64.")] = None
    image_url: Annotated[
        StrictStr | None,
        Field(description="https URL of the image, in place of it, where the service allows it."),
    ] = None
    text: Annotated[StrictStr | None, Field(description="Text to classify.")] = None
    top_k: Annotated[
        StrictInt | None, Field(description="How many of the best labels to return; 5 by default.")
    ] = None
    variant: Annotated[
        StrictStr | None, Field(description="Variant that is to answer; see /v1/models.")
    ] = None
    unit: Annotated[
        StrictStr | None,
        Field(description="Who keeps the same variant in an experiment, for example a user."),
    ] = None
    metadata: Annotated[
        dict[str, StrictStr | StrictInt | StrictFloat | StrictBool] | None,
        Field(description="Attributes that rules of eligibility look at."),
    ] = None
    labels: Annotated[
        list[StrictStr] | None,
        Field(description="Labels to classify into, for a variant of kind `dual_tower`."),
    ] = None
    prompt_template: PromptTemplate = None
    label_set: Annotated[
        StrictStr | None,
        Field(description="Name of registered labels, in place of `labels`; see /v1/label-sets."),
    ] = None


class BatchBody(_Closed):
    """Several items. Each is a `ClassifyBody`, validated apart: a bad one fails alone."""

    items: Annotated[list[Any], Field(min_length=1)]


class LabelScore(_Closed):
    """A label with its calibrated probability."""

    label: str
    score: Ratio


class Timings(_Closed):
    """Milliseconds. The encoders' stages lie within `triton`, image and text side by side.

    Of an answer that was coalesced or cached they are null, and `triton` is the waiting for it.
    """

    receive: float
    labels: Annotated[
        float | None, Field(description="Time to embed the request's labels; null without them.")
    ]
    triton: float
    decode: float | None
    image_encoder: float | None
    tokenise: float | None
    text_encoder: float | None
    respond: float
    total: float


class BatchSizes(_Closed):
    """Items in the encoder batches that this one was part of; null where it was part of none."""

    image_encoder: int | None
    text_encoder: int | None


class AssignmentAnswer(_Closed):
    """Why this variant answered.

    `experiment` and `arm` are null outside of experiments. With the reason `arm_gated` the control
    answered instead of `arm`, and `gate` says why. `is_sticky`: the same unit gets this arm again.
    """

    reason: Reason
    experiment: str | None
    arm: str | None
    gate: str | None
    is_sticky: bool


class OneLabelAnswer(_Closed):
    """The answer of a task of one label."""

    label: str
    score: Ratio
    top_k: list[LabelScore]


class SeveralLabelsAnswer(_Closed):
    """The answer of a task of several labels: all above their thresholds, which may be none."""

    labels: list[LabelScore]
    top_k: list[LabelScore]


class ClassifyAnswer(_Closed):
    """The answer to one item; `label`, `score` and `top_k` are those of the first task."""

    prediction_id: str
    variant: str
    digest: Digest
    assignment: AssignmentAnswer
    modalities: list[Literal["image", "text"]]
    label: str
    score: Ratio
    top_k: list[LabelScore]
    timings_ms: Timings
    batch_sizes: BatchSizes
    source: Annotated[
        Source,
        Field(
            description="Whether the numbers were computed for this request, come from an equal "
            "one that was in flight (coalesced), or from one that was answered before (cached)."
        ),
    ]
    pool: Annotated[PoolName, Field(description="The pool of Tritons that answered.")]
    degraded: Annotated[
        Degraded | None, Field(description="Why the answer is not the usual one; null when it is.")
    ]
    tasks: Annotated[
        dict[str, OneLabelAnswer | SeveralLabelsAnswer] | None,
        Field(description="The answer of each task, by name; only of a variant that has tasks."),
    ] = None


class ProblemBody(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    field: str | None = None
    limit: int | None = None
    actual: int | None = None
    retry_after_s: int | None = None
    retry_after_ms: int | None = None


class BatchResult(_Closed):
    """One item's answer or its problem."""

    result: ClassifyAnswer | None = None
    problem: ProblemBody | None = None


class BatchAnswer(_Closed):
    """One entry for each item, in the items' order."""

    items: list[BatchResult]


class ModelExperimentAnswer(_Closed):
    """A running experiment that a variant is part of; `gate` says why it gets none of its share."""

    name: str
    share: float
    is_control: bool
    gate: str | None


class TaskDescription(_Closed):
    """One set of labels: an item has `one` of them, or `several`, none included.

    `thresholds` of several labels stand in their order, for each modality set.
    """

    name: str
    kind: Literal["one", "several"]
    labels: list[str]
    thresholds: dict[ModalitySet, list[Ratio]]
    quality: dict[ModalitySet, Quality]


class ModelAnswer(_Closed):
    """A variant that is routed.

    `is_default`: it answers what names no variant and is in no experiment, because of
    `default_reason`. `shadows`: those whose candidate it is.
    """

    variant: str
    digest: Digest
    is_default: bool
    default_reason: Reason | None
    experiments: list[ModelExperimentAnswer]
    shadows: list[str]
    kind: VariantKind
    labels: list[str]
    zero_shot: ZeroShotAnswer | None
    tasks: Annotated[
        list[TaskDescription],
        Field(description="Sets of labels, each with an answer; empty where there is but one."),
    ]
    modality_sets: list[ModalitySet]
    quality: dict[ModalitySet, Quality]
    max_image_pixels: int
    max_text_tokens: int
    expected_device: Literal["cpu", "gpu"]
    created_at: datetime
    data_digest: Digest
    lineage: Annotated[
        Lineage | None,
        Field(description="What feedback and which parent it was retrained from, if it was."),
    ]
    drift_reference: Annotated[
        ReferenceState,
        Field(
            description="Of its drift reference: `loaded`; `missing`, published without one; "
            "`unreadable`; `not_read` yet; `not_watched`, this gateway watches nothing."
        ),
    ]


class NotRoutedAnswer(_Closed):
    """An ensemble that Triton serves and nothing is routed to."""

    model: str
    reason: Refusal
    variant: str | None
    digest: str | None


class ModelsAnswer(_Closed):
    """All variants, and what is not routed with the reason."""

    models: list[ModelAnswer]
    not_routed: list[NotRoutedAnswer]


class ReadyAnswer(_Closed):
    """Whether this instance should get traffic, and what speaks against it."""

    is_ready: bool
    reasons: list[NotReady]


class LiveAnswer(_Closed):
    """The process runs."""

    is_alive: Literal[True]
