"""A compressed variant through the same proof as any other, and into the model repository.

What was evaluated is the compressed encoders' graphs with the head: that is what the served
ensembles are held against. How far both are from the torch fp32 model is reported with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from exporters.compression.batch_dependence import ALLOWED
from exporters.compression.errors import BatchDependenceError
from exporters.compression.report import write_compression_report
from exporters.compression.sessions import GraphSession
from exporters.compression.side import Side
from exporters.conversion.graphs import ATTENTION_MASK, INPUT_IDS, PIXELS
from exporters.evaluation import measure_quality, write_report
from exporters.evaluation.parity import CONCURRENT_REQUESTS
from exporters.heads import head_for
from exporters.preprocessing.images import decode_image
from exporters.publishing.checkup import fit_to_publish
from exporters.publishing.errors import ParityError
from exporters.publishing.export import Published
from exporters.publishing.proof import prove
from exporters.publishing.stage import stage_variant
from exporters.repository.model_config import EnsembleModel
from exporters.repository.publish import publish, staging, write_config
from exporters.tasks import all_decisions, all_probabilities
from exporters.training import logits_of
from gateway.contract.manifest import DistanceToOriginal, ModalitySet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from exporters.compression import CompressedVariant
    from exporters.data import Example
    from exporters.repository.model_folder import ModelFolder
    from exporters.training import TrainedVariant


def publish_compressed(
    compressed: CompressedVariant, repository: Path, *, is_batch_dependence_accepted: bool = False
) -> Published:
    """Proves and publishes a compressed variant, and writes its report.

    Args:
        compressed: what `compress` made.
        repository: the Triton model repository.
        is_batch_dependence_accepted: publish it although answers depend on batch mates; then the
            proof sends one request at a time.

    Raises:
        BatchDependenceError: answers depend on batch mates, and nobody accepted it.
        ExporterError: conversion, serving or parity failed; the repository is as it was before.
    """
    is_dependent = _refuse_dependence(compressed, is_accepted=is_batch_dependence_accepted)
    variant, encoders = compressed.variant, compressed.last.encoders
    text, image = encoders[Side.TEXT], encoders[Side.IMAGE]
    graphs = _DirectGraphs(GraphSession(text.graph), GraphSession(image.graph))
    with staging(repository) as staged_repository:
        staged = stage_variant(
            variant, measure_quality(variant), staged_repository, (text.graph, image.graph)
        )
        proofs = prove(
            staged,
            variant,
            staged_repository,
            graphs.logits,
            1 if is_dependent else CONCURRENT_REQUESTS,
        )
        write_report(variant)
        distances = {each: distance_to_original(compressed, each) for each in ModalitySet}
        report = write_compression_report(compressed, proofs, distances)
        for modalities, proof in proofs.items():
            if not proof.has_passed:
                raise ParityError(
                    modalities,
                    proof.largest_difference,
                    proof.tolerance,
                    proof.label_flips,
                    report,
                )
        for folder in staged.stamped(proofs, _precision(text.precision, image.precision)):
            write_config(_with_origin(folder, compressed, distances), staged_repository)
        warnings = fit_to_publish(staged_repository)
        publish(staged.folders, staged_repository, repository)
    return Published(staged.ensemble_names, report, is_new=True, warnings=warnings)


@dataclass(frozen=True)
class _DirectGraphs:
    """The compressed encoders without a server, one example at a time."""

    text: GraphSession
    image: GraphSession

    def logits(
        self, variant: TrainedVariant, examples: Sequence[Example], modalities: ModalitySet
    ) -> npt.NDArray[np.float32]:
        """From image files and texts to logits, float32 (examples, labels)."""
        view = head_for(variant.head, modalities).eval()
        rows = []
        with torch.inference_mode():
            for example in examples:
                features = map(torch.from_numpy, self._features(variant, example, modalities))
                rows.append(view(*features).numpy())
        return np.concatenate(rows)

    def _features(
        self, variant: TrainedVariant, example: Example, modalities: ModalitySet
    ) -> Iterator[npt.NDArray[np.float32]]:
        """What the head reads, text first: of each graph the last output."""
        if modalities.has_text:
            ids, mask = variant.text_encoder.tokenizer.encode_batch([example.text])
            yield self.text.run({INPUT_IDS: ids, ATTENTION_MASK: mask})[-1]
        if modalities.has_image:
            pixels = decode_image(example.image.read_bytes(), variant.image_encoder.preprocessing)
            yield self.image.run({PIXELS: pixels[None]})[-1]


def distance_to_original(
    compressed: CompressedVariant, modalities: ModalitySet
) -> DistanceToOriginal:
    """Compares calibrated probabilities with the torch fp32 model's, on all held-out examples."""
    original, served = compressed.original, compressed.variant
    before, after = (_probabilities(variant, modalities) for variant in (original, served))
    return DistanceToOriginal(
        samples=len(before),
        max_abs_difference=float(np.abs(before - after).max()),
        label_flips=int(
            (
                all_decisions(before, original.tasks, original.calibrations[modalities])
                != all_decisions(after, served.tasks, served.calibrations[modalities])
            )
            .any(axis=1)
            .sum()
        ),
    )


def _probabilities(variant: TrainedVariant, modalities: ModalitySet) -> npt.NDArray[np.float64]:
    features = variant.features.take(torch.from_numpy(variant.split.holdout))
    logits = logits_of(variant.head, features, modalities).numpy()
    return all_probabilities(logits, variant.tasks, variant.calibrations[modalities])


def _refuse_dependence(compressed: CompressedVariant, *, is_accepted: bool) -> bool:
    """Whether answers depend on batch mates; refused unless that was accepted."""
    dependent = [
        encoder
        for encoder in compressed.last.encoders.values()
        if encoder.batch_dependence.is_dependent
    ]
    if dependent and not is_accepted:
        worst = max(dependent, key=lambda each: each.batch_dependence.largest_difference)
        raise BatchDependenceError(worst.name, worst.batch_dependence.largest_difference, ALLOWED)
    return bool(dependent)


def _precision(text: str, image: str) -> str:
    return text if text == image else f"text {text}, image {image}"


def _with_origin(
    ensemble: ModelFolder,
    compressed: CompressedVariant,
    distances: Mapping[ModalitySet, DistanceToOriginal],
) -> ModelFolder:
    """Writes into an ensemble's manifest what it was made from, and how far it is from that."""
    assert isinstance(ensemble.model, EnsembleModel)  # noqa: S101  # `stamped` gives ensembles
    manifest = ensemble.model.manifest
    assert manifest.parity is not None  # noqa: S101  # and their passports
    origin = {
        "recipe": compressed.original.recipe.name,
        "recipe_digest": compressed.original.recipe.recipe_digest,
        "compression": tuple(map(str, compressed.last.steps)),
    }
    parity = manifest.parity.model_copy(
        update={"distance_to_original": distances[manifest.modalities]}
    )
    stamped = manifest.model_copy(
        update={"provenance": manifest.provenance.model_copy(update=origin), "parity": parity}
    )
    return replace(ensemble, model=replace(ensemble.model, manifest=stamped))
