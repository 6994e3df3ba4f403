"""From a trained variant and some steps to a compressed variant, judged after each step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from exporters.compression.compressed_encoder import (
    CompressedEncoder,
    copy_graphs,
    features_of_both,
    prepare_encoder,
)
from exporters.compression.encoder_side import sides_of
from exporters.compression.judgement import Costs, judge, refit_head
from exporters.compression.side import Side
from exporters.compression.step import Step, steps_of
from exporters.compression.timing import SideTimes, time_in_turns
from exporters.digests import digest_of_json, digest_of_source
from exporters.training import TrainedVariant, calibrate, logits_of, targets_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exporters.heads import FusionHead
    from exporters.training import Features
    from exporters.workspace import Workspace

_CODE: Final = ("exporters.compression", "exporters.training", "exporters.heads")
_NAME_CHARS: Final = 63
GRAPHS_FOLDER: Final = "graphs"
"""In a compressed variant's folder: its encoders, for `--quantised-graphs`."""


@dataclass(frozen=True)
class Stage:
    """A variant after some steps.

    Attributes:
        steps: what was done; nothing for the original.
        encoders: both encoders, by side.
        kept: held-out cost with the head that was fitted on the original's features.
        refitted: held-out cost with a head that was fitted on the compressed encoders' features.
        refitted_head: that head.
    """

    steps: tuple[Step, ...]
    encoders: Mapping[Side, CompressedEncoder]
    kept: Costs
    refitted: Costs
    refitted_head: FusionHead

    @property
    def name(self) -> str:
        """The steps as they are written."""
        return " + ".join(map(str, self.steps)) or "original"

    @property
    def bytes(self) -> int:
        """Size of both graphs."""
        return sum(encoder.bytes for encoder in self.encoders.values())

    @property
    def features(self) -> Features:
        """Of all examples."""
        return features_of_both(self.encoders)


@dataclass(frozen=True)
class CompressedVariant:
    """A compressed variant, ready to be proved and published.

    Attributes:
        original: what was compressed.
        variant: the same with another name, features and temperatures, and maybe head; its
            encoders' torch modules are still the original's.
        stages: the original, and the variant after each step; the last is the variant.
        times: of each side's graphs in turns, by `CompressedEncoder.name`.
        has_refitted_head: which head it has.
    """

    original: TrainedVariant
    variant: TrainedVariant
    stages: tuple[Stage, ...]
    times: Mapping[Side, SideTimes]
    has_refitted_head: bool

    @property
    def last(self) -> Stage:
        """What is published."""
        return self.stages[-1]

    @property
    def graphs_folder(self) -> Path:
        """Where both encoders lie as `text.onnx` and `image.onnx`, for other targets."""
        return self.variant.run_folder / GRAPHS_FOLDER

    @property
    def costs(self) -> Costs:
        """Held-out cost of what is published."""
        return self.last.refitted if self.has_refitted_head else self.last.kept

    def encode_ms(self, stage: Stage) -> float:
        """Processor time of both encoders for one request."""
        return sum(
            self.times[side].encode_ms[encoder.name] for side, encoder in stage.encoders.items()
        )

    def request_ms(self, stage: Stage) -> float:
        """The same with decoding and tokenising."""
        return self.encode_ms(stage) + sum(times.preprocess_ms for times in self.times.values())


def compress(
    original: TrainedVariant,
    steps: Sequence[Step],
    workspace: Workspace,
    *,
    name: str | None = None,
    is_head_refitted: bool = False,
    learned_from: TrainedVariant | None = None,
) -> CompressedVariant:
    """Applies steps in their order and judges the variant after each.

    Args:
        original: a trained variant.
        steps: what to do.
        workspace: where encoders and reports are kept.
        name: of the compressed variant; without it, the original's and the steps'.
        is_head_refitted: whether the published head is fitted again; both are reported.
        learned_from: the original with more training examples, from which steps calibrate and
            train; see `unlabelled.with_pairs`.

    Raises:
        CompressionError: a step cannot be applied.
        ConversionError: the graph of a changed module is not the module.
    """
    stages = tuple(
        make_stage(original, steps[:count], workspace, learned_from)
        for count in range(len(steps) + 1)
    )
    times = {
        side.side: time_in_turns(
            {stage.encoders[side.side].name: stage.encoders[side.side].graph for stage in stages},
            side,
        )
        for side in sides_of(original)
    }
    variant = _variant(original, stages[-1], workspace, name, is_head_refitted=is_head_refitted)
    return CompressedVariant(original, variant, stages, times, is_head_refitted)


def make_stage(
    original: TrainedVariant,
    steps: Sequence[Step],
    workspace: Workspace,
    learned_from: TrainedVariant | None = None,
) -> Stage:
    """Applies steps and judges what they cost on held-out examples."""
    encoders = {}
    for side in sides_of(learned_from or original):
        encoder = prepare_encoder(side, steps_of(steps, side.side), workspace)
        # Pairs that were only learned from stand behind the examples, and are not judged.
        encoders[side.side] = encoder.of_first(len(original.table))
    features = features_of_both(encoders)
    rows = original.split.holdout
    head = refit_head(original, features) if steps else original.head
    kept = judge(original, features, original.head, rows)
    refitted = judge(original, features, head, rows)
    return Stage(tuple(steps), encoders, kept, refitted, head)


def default_name(recipe: str, steps: Sequence[Step]) -> str:
    """What a compressed variant is called: the recipe, and each step without its settings."""
    parts = (str(step).partition(":")[0].replace("@", "-") for step in steps)
    return "-".join((recipe, *parts))[:_NAME_CHARS].rstrip("-")


def _variant(
    original: TrainedVariant,
    stage: Stage,
    workspace: Workspace,
    name: str | None,
    *,
    is_head_refitted: bool,
) -> TrainedVariant:
    name = name or default_name(original.recipe.name, stage.steps)
    head = stage.refitted_head if is_head_refitted else original.head
    validation = torch.from_numpy(original.split.validation)
    targets = targets_of(original.table).take(validation)
    features = stage.features
    calibrations = {
        modalities: calibrate(
            original.recipe.asked,
            original.tasks,
            logits_of(head, features.take(validation), modalities),
            targets,
        )
        for modalities in ModalitySet
    }
    digest = digest_of_json(
        {
            "original": original.run_folder.name,
            "steps": [[str(step), step.values] for step in stage.steps],
            "is_head_refitted": is_head_refitted,
            "encoders": [encoder.graph.parent.name for encoder in stage.encoders.values()],
            "code": digest_of_source(_CODE),
        }
    )
    folder = workspace.compression_folder(name, digest)
    copy_graphs(stage.encoders[Side.TEXT], stage.encoders[Side.IMAGE], folder / GRAPHS_FOLDER)
    recipe = original.recipe.model_copy(update={"name": name})
    return TrainedVariant(
        inputs=replace(original.inputs, recipe=recipe),
        features=features,
        head=head,
        calibrations=calibrations,
        split=original.split,
        run_folder=folder,
    )
