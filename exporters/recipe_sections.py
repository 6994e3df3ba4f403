"""The sections of a recipe: keys, defaults and what values they take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    model_validator,
)

from exporters.tasks import ONLY_TASK
from gateway.contract.manifest import Template
from gateway.contract.zero_shot import PLACEHOLDER


def _beside_recipe(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / path.expanduser()).resolve()


# Where a file lies on this machine is no part of a recipe's identity; what is in it is covered by
# the digests of the data and of the encoders.
RecipePath = Annotated[
    Path,
    AfterValidator(_beside_recipe),
    PlainSerializer(lambda path: path.name, when_used="json"),
]
Ratio = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Instances = Annotated[int, Field(ge=1, le=64)]
Threads = Annotated[int, Field(ge=1, le=256)]
BatchRows = Annotated[int, Field(ge=1, le=1024)]
DelayUs = Annotated[int, Field(ge=0, le=1_000_000)]
Layers = Annotated[int, Field(ge=0)] | Literal["all"]


class Section(BaseModel):
    """Keys of one section; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataRecipe(Section):
    """Where the examples come from: exactly one of `source` and `table`."""

    source: str | None = Field(None, description="registered data source that builds the table")
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="options of the data source"
    )
    table: RecipePath | None = Field(None, description="CSV, JSONL or Parquet file of examples")
    image_column: str = Field("image", description="column of image paths, relative to the table")
    text_column: str = Field("text", description="column of texts")
    label_column: str = Field("label", description="column of labels")
    group_column: str | None = Field(
        None, description="column of groups; examples of one group never cross the split"
    )
    labels: tuple[str, ...] | None = Field(
        None,
        min_length=2,
        description="labels in their order; without it, all labels of the table, sorted",
    )
    max_broken_ratio: Ratio = Field(
        0.01, description="largest share of broken rows; above it the run stops"
    )
    holdout_ratio: Ratio = Field(0.2, gt=0.0, description="share held out for quality and parity")
    validation_ratio: Ratio = Field(
        0.15, gt=0.0, description="share for early stopping and calibration"
    )
    twin_cosine: float = Field(
        0.9,
        gt=0.0,
        le=1.0,
        description="images with a larger centred cosine are near twins and never cross the split",
    )

    @property
    def only_task(self) -> TaskRecipe:
        """The one task of a recipe that names none."""
        return TaskRecipe(name=ONLY_TASK, column=self.label_column, labels=self.labels)

    @model_validator(mode="after")
    def _has_one_origin(self) -> DataRecipe:
        _require_exactly_one(self, "source", "table")
        if self.holdout_ratio + self.validation_ratio > 0.8:
            message = "holdout_ratio and validation_ratio together leave less than 0.2 to train on"
            raise ValueError(message)
        return self


class TaskRecipe(Section):
    """One set of labels; without any, there is one task, of the column `data.label_column`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = Field(
        description="what the answer calls the task: lower-case letters, digits, - and _"
    )
    column: str | None = Field(
        None, description="column of its labels; without it, the column of the task's name"
    )
    kind: Literal["one", "several"] = Field(
        "one", description="an example has one label, or any number of them"
    )
    separator: Annotated[str, Field(min_length=1)] = Field(
        ";", description="between several labels in one cell; lists of JSONL and Parquet need none"
    )
    empty: Literal["unlabelled", "none"] = Field(
        "unlabelled",
        description="what an empty cell says where several labels are possible: that nobody "
        "labelled the row, or that none applies",
    )
    labels: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="labels in their order; without it, all labels of the column, sorted",
    )
    min_examples: Count = Field(
        1, description="rarer labels are left out; a row that had no other is unlabelled"
    )
    thresholds: Literal["f1"] | Ratio | dict[str, Ratio] = Field(
        "f1",
        description="of several labels: fitted for F1 on validation examples, one number for all, "
        "or a table of labels, the others fitted",
    )
    loss_weight: Positive = Field(1.0, description="weight of the task's loss in the sum")

    @property
    def table_column(self) -> str:
        """The column of its labels."""
        return self.column or self.name


class EncoderRecipe(Section):
    """Where an encoder's checkpoint comes from: exactly one of `hub`, `folder` and `package`."""

    hub: str | None = Field(None, description="Hugging Face model id")
    revision: str | None = Field(None, description="commit, tag or branch of the `hub` model")
    folder: RecipePath | None = Field(None, description="local folder in Hugging Face's layout")
    package: str | None = Field(
        None, description="importable name of an installed package that carries the checkpoint"
    )
    subfolder: str | None = Field(None, description="folder inside the model, folder or package")

    @model_validator(mode="after")
    def _has_one_origin(self) -> EncoderRecipe:
        _require_exactly_one(self, "hub", "folder", "package")
        return self


class TextEncoderRecipe(EncoderRecipe):
    """The frozen text encoder: exactly one of `hub`, `folder` and `package`."""

    pooling: Literal["mean", "cls"] | None = Field(
        None,
        description="how token states become one vector: their mean, or the first; "
        "without it, as the family does: the mean, or a dual tower's own",
    )
    max_tokens: Annotated[int, Field(ge=4, le=8192)] = Field(
        128, description="longer texts are cut here, in tokens"
    )


class ImageEncoderRecipe(EncoderRecipe):
    """The frozen image encoder: exactly one of `hub`, `folder` and `package`."""

    jpeg_decode: Literal["scaled", "full"] = Field(
        "scaled", description="decode JPEG at the nearest smaller DCT scale, or whole"
    )
    max_pixels: Count = Field(
        25_000_000, description="larger images are refused before they are decoded, in pixels"
    )


class HeadRecipe(Section):
    """The fusion head."""

    type: str = Field("concat_mlp", description="registered fusion head")
    hidden_dim: Count = Field(256, description="width of the hidden layer")
    dropout: Ratio = Field(0.5, description="dropout in the hidden layer")
    modality_dropout: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        0.15, description="share of training rows that lose their text, and as many their image"
    )


class TrainingRecipe(Section):
    """How the head is fitted on cached features."""

    epochs: Count = Field(100, description="most epochs")
    learning_rate: Positive = Field(5e-4, description="AdamW's learning rate")
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(0.05, description="AdamW's weight decay")
    batch_size: Count = Field(64, description="examples a step")
    patience: Count = Field(
        15, description="epochs without a better validation loss before it ends"
    )
    class_weights: Literal["balanced", "none"] = Field(
        "balanced", description="weigh each label by its rarity, or not"
    )


class DualTowerRecipe(Section):
    """Instead of a head: both encoders in one space, and labels that come with each request."""

    projection: Literal["trained", "checkpoint"] = Field(
        "trained",
        description="how the encoders come into one space: projections that `align` trains, or "
        "those of the one dual checkpoint that both encoders name",
    )
    dim: Count | None = Field(
        None,
        description="width of the trained space; without it, the text encoder's own space, in "
        "which texts stay where they are",
    )
    dropout: Ratio = Field(0.5, description="dropout of the features before a projection")
    templates: tuple[Template, ...] = Field(
        (PLACEHOLDER,),
        min_length=1,
        description="prompts that a label is put into when a request names none; their "
        "embeddings are averaged",
    )


class FineTuneRecipe(Section):
    """Which layers of the encoders are trained too, and how; with 0 and 0 both stay frozen."""

    text_layers: Layers = Field(
        0, description="last layers of the text encoder that are fine-tuned, or all"
    )
    image_layers: Layers = Field(
        0, description="last layers of the image encoder that are fine-tuned, or all"
    )
    epochs: Count = Field(5, description="most epochs")
    patience: Annotated[int, Field(ge=0)] = Field(
        2, description="epochs without a better validation loss that it goes on for"
    )
    learning_rate: Positive = Field(1e-5, description="AdamW's learning rate of the last layer")
    head_learning_rate: Positive = Field(1e-4, description="of the head, which is fitted already")
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.8, description="each layer's learning rate as a share of that of the layer above it"
    )
    warmup_ratio: Ratio = Field(0.1, description="share of the steps in which the rates rise")
    batch_size: Count = Field(32, description="examples that are held in memory at a time")
    accumulation_steps: Count = Field(1, description="batches whose gradients make one step")
    max_gradient_norm: Positive = Field(1.0, description="longer gradients are clipped to it")
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(
        0.01, description="AdamW's, of all that is no bias or norm"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of the encoders; auto is bf16 or scaled fp16 on a GPU, else fp32"
    )

    @property
    def is_on(self) -> bool:
        """Whether anything of an encoder is trained."""
        return self.text_layers != 0 or self.image_layers != 0


class TargetRecipe(Section):
    """What the variant is exported for, and how it is served there.

    Instances, threads, batches and delays are those of the targets `embedded` and `cpu`;
    `python -m loadtest tune` finds them. Targets with a GPU have their own.
    """

    name: Literal["embedded"] = Field("embedded", description="where the variant is to be served")
    precision: Literal["fp32"] = Field("fp32", description="precision of the exported graphs")
    image_instances: Instances = Field(
        2, description="processes of the image encoder; as many as the machine has cores"
    )
    text_instances: Instances = Field(1, description="processes of the text encoder")
    image_threads: Threads = Field(1, description="threads of each process of the image encoder")
    text_threads: Threads = Field(1, description="threads of each process of the text encoder")
    image_batch: BatchRows = Field(
        4, description="images that Triton hands to a process together, at most"
    )
    text_batch: BatchRows = Field(
        16, description="texts that Triton hands to a process together, at most"
    )
    image_delay_us: DelayUs = Field(
        0, description="how long an image may wait for others to come along, in µs"
    )
    text_delay_us: DelayUs = Field(
        0, description="how long a text may wait for others to come along, in µs"
    )
    parity_samples: Annotated[int, Field(ge=64)] = Field(
        64, description="held-out pairs that the parity proof sends through Triton"
    )
    parity_tolerance: Positive = Field(
        1e-3, description="largest difference of a probability that the parity proof allows"
    )


def _require_exactly_one(section: BaseModel, *keys: str) -> None:
    given = [key for key in keys if getattr(section, key) is not None]
    if len(given) != 1:
        message = f"give exactly one of {', '.join(keys)}; got {', '.join(given) or 'none'}"
        raise ValueError(message)
