"""A dual tower as model folders in a staging repository, and its proof.

It differs from a classifier in what stands behind the encoders: a projection for each modality set,
which answers with an embedding, and no labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exporters.alignment import tower_for
from exporters.conversion.graphs import (
    EMBEDDING,
    export_head,
    export_image_encoder,
    export_text_encoder,
)
from exporters.digests import digest_of_json
from exporters.drift.reference_file import write_reference
from exporters.drift.sources import reference_of_towers
from exporters.evaluation.parity import (
    Parity,
    compare,
    served_outputs,
    torch_answers,
    values_of,
)
from exporters.evaluation.zero_shot import activate, logits_of_scoring
from exporters.progress import progress
from exporters.publishing.proof import holdout_features, served, with_features
from exporters.publishing.stage import StagedVariant, head_inputs, provenance_of
from exporters.repository.model_config import TensorSpec
from exporters.repository.publish import write_model
from exporters.repository.variant_models import (
    Encoders,
    head_folder,
    image_encoder_folder,
    text_encoder_folder,
)
from exporters.tasks import TaskCalibration, single_task
from gateway.contract import tensors
from gateway.contract.manifest import DualTower, EnsembleManifest, Limits, ModalitySet
from gateway.contract.zero_shot import label_direction, prompts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from exporters.alignment import AlignedTowers, Scoring
    from exporters.evaluation.quality import TaskQuality
    from exporters.repository.model_folder import ModelFolder

    Embeddings = npt.NDArray[np.float32]

_GRAPHS_FOLDER = ".graphs"


def stage_dual_tower(
    towers: AlignedTowers, qualities: Mapping[ModalitySet, TaskQuality], repository: Path
) -> StagedVariant:
    """Converts a dual tower and writes its models.

    Args:
        towers: the encoders and their projections.
        qualities: what was measured on labels that were never seen.
        repository: an empty staging repository.

    Raises:
        ConversionError: a graph is not the module it was made from.
    """
    graphs = repository / _GRAPHS_FOLDER
    graphs.mkdir()
    target = towers.recipe.target
    with progress("Converting to ONNX", 2 + len(ModalitySet)) as advance:
        export_text_encoder(towers.text_encoder, graphs / "text.onnx")
        advance()
        export_image_encoder(towers.image_encoder, graphs / "image.onnx")
        advance()
        encoders = Encoders(
            text=text_encoder_folder(towers.text_encoder, graphs / "text.onnx", target),
            image=image_encoder_folder(towers.image_encoder, graphs / "image.onnx", target),
        )
        heads = {}
        for modalities in ModalitySet:
            heads[modalities] = _projection_folder(towers, modalities, graphs)
            advance()
    reference = reference_of_towers(towers)
    write_reference(reference, towers.run_folder)
    manifests = _manifests(towers, qualities, encoders, heads)
    staged = StagedVariant(encoders, heads, manifests, reference)
    for folder in staged.folders:
        write_model(folder, repository)
    return staged


def prove_dual_tower(
    staged: StagedVariant, towers: AlignedTowers, repository: Path
) -> dict[ModalitySet, Parity]:
    """Holds the served embeddings, and what they make of labels, against torch.

    Each side embeds the held-out labels and classifies with them by itself, as the gateway does.

    Args:
        staged: what is in `repository`.
        towers: what it was made from.
        repository: the staging repository.

    Raises:
        ServingError: Triton did not load the models, or refused a sample.
    """
    target = towers.recipe.target
    examples = towers.holdout_examples[: target.parity_samples]
    features = holdout_features(towers, len(examples))
    labels, names = towers.holdout_labels, staged.ensemble_names
    proofs = {}
    with served(repository, list(names.values()), towers.run_folder) as url:

        def ask(
            modalities: ModalitySet, values: Sequence[Mapping[str, bytes]]
        ) -> Mapping[str, Embeddings]:
            return served_outputs(url, names[modalities], values)

        prompts = [prompts_of(label, towers.settings.templates) for label in labels]
        rows = ask(
            ModalitySet.TEXT,
            [{tensors.TEXT: prompt.encode()} for each in prompts for prompt in each],
        )[tensors.EMBEDDING]
        by_label = rows.reshape(len(labels), -1, rows.shape[1])  # (labels, templates, dim)
        served_labels = np.stack([label_direction(each) for each in by_label])
        torch_labels = towers.label_directions(labels).numpy()
        for modalities in ModalitySet:
            view = tower_for(towers.projections, modalities).eval()
            reference = torch_answers(view, towers, examples, modalities)
            answers = ask(modalities, [values_of(each, modalities) for each in examples])
            proof = compare_embeddings(
                (reference, torch_labels),
                (answers[tensors.EMBEDDING], served_labels),
                towers.scorings[modalities],
                target.parity_tolerance,
            )
            proofs[modalities] = with_features(proof, features, answers)
    return proofs


def compare_embeddings(
    reference: tuple[Embeddings, Embeddings],
    actual: tuple[Embeddings, Embeddings],
    scoring: Scoring,
    tolerance: float,
) -> Parity:
    """Compares embeddings, and the scores that they give.

    Args:
        reference: of torch: embeddings of the samples (samples, dim), of the labels (labels, dim).
        actual: what was served, of the same shapes.
        scoring: how cosines become scores.
        tolerance: largest difference of a score, or of a component of an embedding, that is
            allowed.
    """
    expected_logits, actual_logits = (
        logits_of_scoring(samples, labels, scoring) for samples, labels in (reference, actual)
    )
    if scoring.activation == "softmax":
        tasks = single_task([str(label) for label in range(expected_logits.shape[1])])
        calibrations = [TaskCalibration(scoring.temperature)]
        proof = compare(expected_logits, actual_logits, tasks, calibrations, tolerance)
        largest, flips = proof.max_abs_difference, proof.label_flips
    else:
        scores = activate(expected_logits, scoring), activate(actual_logits, scoring)
        largest = float(np.abs(scores[0] - scores[1]).max())
        flips = int((scores[0].argmax(axis=-1) != scores[1].argmax(axis=-1)).sum())
    components = [np.abs(one - other).max() for one, other in zip(reference, actual, strict=True)]
    return Parity(
        samples=len(reference[0]),
        max_abs_difference=max(largest, *map(float, components)),
        label_flips=flips,
        tolerance=tolerance,
    )


def _projection_folder(towers: AlignedTowers, modalities: ModalitySet, graphs: Path) -> ModelFolder:
    inputs = head_inputs(towers, modalities)
    graph = graphs / f"tower-{modalities}.onnx"
    export_head(tower_for(towers.projections, modalities).eval(), inputs, graph, EMBEDDING)
    answer = TensorSpec.floats(tensors.EMBEDDING, towers.embedding_dim)
    return head_folder(towers.recipe.name, modalities, inputs, answer, graph)


def _manifests(
    towers: AlignedTowers,
    qualities: Mapping[ModalitySet, TaskQuality],
    encoders: Encoders,
    heads: Mapping[ModalitySet, ModelFolder],
) -> dict[ModalitySet, EnsembleManifest]:
    dual_towers = {
        modalities: DualTower(
            embedding_dim=towers.embedding_dim,
            activation=scoring.activation,
            logit_scale=scoring.logit_scale,
            logit_bias=scoring.logit_bias,
            templates=towers.settings.templates,
            measured_labels=towers.holdout_labels,
        )
        for modalities, scoring in towers.scorings.items()
    }
    temperatures = {name: each.temperature for name, each in towers.scorings.items()}
    digest = digest_of_json(
        {
            "encoders": [encoders.text.model.name, encoders.image.model.name],
            "heads": {modalities: folder.model.name for modalities, folder in heads.items()},
            "dual_towers": {name: each.model_dump() for name, each in dual_towers.items()},
            "temperatures": temperatures,
        }
    )
    provenance = provenance_of(towers, "dual_tower")
    return {
        modalities: EnsembleManifest(
            variant=towers.recipe.name,
            digest=digest,
            modalities=modalities,
            dual_tower=dual_tower,
            temperature=temperatures[modalities],
            quality=qualities[modalities].quality,
            parity=None,
            expected_device="cpu",
            limits=Limits(
                max_image_pixels=towers.image_encoder.preprocessing.max_pixels,
                max_text_tokens=towers.text_encoder.tokenizer.max_tokens,
            ),
            provenance=provenance,
        )
        for modalities, dual_tower in dual_towers.items()
    }
