"""A trained variant as model folders in a staging repository, not yet proved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporters.conversion.graphs import (
    IMAGE_FEATURES,
    IMAGE_SEQUENCE,
    TEXT_FEATURES,
    TEXT_SEQUENCE,
    export_head,
    export_image_encoder,
    export_text_encoder,
)
from exporters.digests import digest_of_json
from exporters.drift.reference_file import write_reference
from exporters.drift.sources import reference_of_variant
from exporters.fingerprint import package_versions
from exporters.heads import head_for
from exporters.progress import progress
from exporters.repository.model_config import TensorSpec
from exporters.repository.publish import write_model
from exporters.repository.variant_models import (
    Encoders,
    ensemble_folder,
    head_folder,
    image_encoder_folder,
    text_encoder_folder,
)
from gateway.contract import tensors
from gateway.contract.manifest import (
    EnsembleManifest,
    Limits,
    ModalitySet,
    ParityPassport,
    Provenance,
    TaskManifest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from exporters.alignment import AlignedTowers
    from exporters.conversion.graphs import FeatureShape
    from exporters.evaluation.parity import FrozenEncoders, Parity
    from exporters.evaluation.quality import ModalityQuality
    from exporters.repository.model_folder import ModelFolder
    from exporters.training import TrainedVariant
    from gateway.contract.drift.reference import DriftReference

_GRAPHS_FOLDER = ".graphs"


@dataclass(frozen=True)
class Graphs:
    """The ONNX files of a variant, in fp32.

    Attributes:
        text, image: the encoders.
        heads: the head of each modality set.
        head_inputs: what each head takes, to its shape.
    """

    text: Path
    image: Path
    heads: Mapping[ModalitySet, Path]
    head_inputs: Mapping[ModalitySet, Mapping[str, FeatureShape]]


@dataclass(frozen=True)
class StagedVariant:
    """The models of a variant, written to a staging repository.

    Attributes:
        encoders: the two encoder models.
        heads: the head of each modality set.
        manifests: the manifest of each ensemble, without its passport.
        drift_reference: what its traffic will be compared with.
    """

    encoders: Encoders
    heads: Mapping[ModalitySet, ModelFolder]
    manifests: Mapping[ModalitySet, EnsembleManifest]
    drift_reference: DriftReference

    @property
    def folders(self) -> tuple[ModelFolder, ...]:
        """All models, steps first."""
        steps = (self.encoders.text, self.encoders.image, *self.heads.values())
        return (*steps, *self._ensembles(self.manifests).values())

    @property
    def ensemble_names(self) -> dict[ModalitySet, str]:
        """Model name of each ensemble."""
        return {
            modalities: folder.model.name
            for modalities, folder in self._ensembles(self.manifests).items()
        }

    def stamped(
        self, proofs: Mapping[ModalitySet, Parity], precision: str = "fp32"
    ) -> tuple[ModelFolder, ...]:
        """The ensembles with their passports; `precision` is that of the encoders."""
        manifests = {
            modalities: manifest.model_copy(
                update={"parity": _passport(proofs[modalities], manifest, precision)}
            )
            for modalities, manifest in self.manifests.items()
        }
        return tuple(self._ensembles(manifests).values())

    def _ensembles(
        self, manifests: Mapping[ModalitySet, EnsembleManifest]
    ) -> dict[ModalitySet, ModelFolder]:
        return {
            modalities: ensemble_folder(
                self.encoders, self.heads[modalities], manifest, self.drift_reference
            )
            for modalities, manifest in manifests.items()
        }


def stage_variant(
    variant: TrainedVariant,
    qualities: Mapping[ModalitySet, ModalityQuality],
    repository: Path,
    encoders: tuple[Path, Path] | None = None,
    reference: DriftReference | None = None,
) -> StagedVariant:
    """Converts a variant and writes its models.

    Args:
        variant: the trained variant.
        qualities: what was measured on held-out examples.
        repository: an empty staging repository.
        encoders: graphs of text and image encoder that are served in place of the variant's own.
        reference: what its traffic will be compared with; None: one of its own examples.

    Raises:
        ConversionError: a graph is not the module it was made from.
    """
    graphs_folder = repository / _GRAPHS_FOLDER
    graphs_folder.mkdir()
    graphs = convert(variant, graphs_folder, encoders)
    target = variant.recipe.target
    steps = Encoders(
        text=text_encoder_folder(
            variant.text_encoder, graphs.text, target, has_sequence=variant.has_sequences
        ),
        image=image_encoder_folder(
            variant.image_encoder, graphs.image, target, has_sequence=variant.has_sequences
        ),
    )
    heads = {
        modalities: head_folder(
            variant.recipe.name,
            modalities,
            graphs.head_inputs[modalities],
            TensorSpec.floats(tensors.LOGITS, len(variant.labels)),
            graph,
        )
        for modalities, graph in graphs.heads.items()
    }
    manifests = unproved_manifests(variant, qualities, [steps.text, steps.image], heads)
    reference = reference or reference_of_variant(variant)
    write_reference(reference, variant.run_folder)
    staged = StagedVariant(steps, heads, manifests, reference)
    for folder in staged.folders:
        write_model(folder, repository)
    return staged


def unproved_manifests(
    variant: TrainedVariant,
    qualities: Mapping[ModalitySet, ModalityQuality],
    encoders: Sequence[ModelFolder],
    heads: Mapping[ModalitySet, ModelFolder],
    expected_device: Literal["cpu", "gpu"] = "cpu",
) -> dict[ModalitySet, EnsembleManifest]:
    """The manifest of each ensemble, without its passport.

    Args:
        variant: the trained variant.
        qualities: what was measured on held-out examples.
        encoders: all models before the heads; they and the heads make the variant's digest.
        heads: the head of each modality set.
        expected_device: where the encoders are to run.
    """
    digest = digest_of_json(
        {
            "encoders": [folder.model.name for folder in encoders],
            "heads": {modalities: folder.model.name for modalities, folder in heads.items()},
            "tasks": [asdict(task) for task in variant.tasks],
            "calibrations": {
                modalities: [asdict(each) for each in calibrations]
                for modalities, calibrations in variant.calibrations.items()
            },
        }
    )
    provenance = provenance_of(variant, variant.recipe.head.type)
    return {
        modalities: EnsembleManifest(
            schema_version=2 if variant.recipe.tasks else 1,
            variant=variant.recipe.name,
            digest=digest,
            modalities=modalities,
            labels=variant.labels,
            temperature=variant.temperatures[modalities],
            quality=qualities[modalities].quality,
            tasks=_tasks(variant, qualities[modalities]),
            parity=None,
            expected_device=expected_device,
            limits=Limits(
                max_image_pixels=variant.image_encoder.preprocessing.max_pixels,
                max_text_tokens=variant.text_encoder.tokenizer.max_tokens,
            ),
            provenance=provenance,
        )
        for modalities in ModalitySet
    }


def _tasks(variant: TrainedVariant, quality: ModalityQuality) -> tuple[TaskManifest, ...]:
    """The tasks of a recipe that names them; none where there is but the one task."""
    if not variant.recipe.tasks:
        return ()
    return tuple(
        TaskManifest(
            name=each.task.name,
            kind="several" if each.task.is_multi_label else "one",
            labels=each.task.labels,
            temperature=each.calibration.temperature,
            thresholds=each.calibration.thresholds,
            quality=each.quality,
        )
        for each in quality.tasks
    )


def convert(
    variant: TrainedVariant, folder: Path, encoders: tuple[Path, Path] | None = None
) -> Graphs:
    """Converts encoders and heads into a folder.

    Args:
        variant: the trained variant.
        folder: where the graphs go.
        encoders: graphs of text and image encoder that there are already.

    Raises:
        ConversionError: a graph is not the module it was made from.
    """
    has_sequence = variant.has_sequences
    inputs = {each: head_inputs(variant, each, has_sequences=has_sequence) for each in ModalitySet}
    heads = {modalities: folder / f"head-{modalities}.onnx" for modalities in ModalitySet}
    text, image = encoders or (folder / "text.onnx", folder / "image.onnx")
    graphs = Graphs(text, image, heads, inputs)
    with progress("Converting to ONNX", 2 + len(ModalitySet)) as advance:
        if encoders is None:
            export_text_encoder(variant.text_encoder, graphs.text, has_sequence=has_sequence)
            export_image_encoder(variant.image_encoder, graphs.image, has_sequence=has_sequence)
        advance(2)
        for modalities, graph in heads.items():
            head = head_for(variant.head, modalities).eval()
            export_head(head, inputs[modalities], graph)
            advance()
    return graphs


def head_inputs(
    encoders: FrozenEncoders, modalities: ModalitySet, *, has_sequences: bool = False
) -> dict[str, FeatureShape]:
    """What the head of one modality set takes, text first, to its shape without the batch axis."""
    text, image = encoders.text_encoder, encoders.image_encoder
    shapes: dict[str, FeatureShape] = {}
    if modalities.has_text:
        name = TEXT_SEQUENCE if has_sequences else TEXT_FEATURES
        shapes[name] = (-1, text.token_dim) if has_sequences else (text.dim,)
    if modalities.has_image:
        name = IMAGE_SEQUENCE if has_sequences else IMAGE_FEATURES
        shapes[name] = (image.cells, image.cell_dim) if has_sequences else (image.dim,)
    return shapes


def provenance_of(variant: TrainedVariant | AlignedTowers, head: str) -> Provenance:
    """Where a variant comes from; `head` is what joins its encoders."""
    recipe = variant.recipe
    return Provenance(
        recipe=recipe.name,
        recipe_digest=recipe.recipe_digest,
        data_digest=variant.data_digest,
        text_encoder=variant.text_encoder.name,
        image_encoder=variant.image_encoder.name,
        head=head,
        seed=recipe.seed,
        created_at=datetime.now(UTC),
        versions=package_versions(),
    )


def _passport(proof: Parity, manifest: EnsembleManifest, precision: str) -> ParityPassport:
    return ParityPassport(
        has_passed=proof.has_passed,
        samples=proof.samples,
        max_abs_difference=proof.max_abs_difference,
        label_flips=proof.label_flips,
        tolerance=proof.tolerance,
        precision=precision,
        device=manifest.expected_device,
    )
