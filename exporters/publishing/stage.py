"""A trained variant as model folders in a staging repository, not yet proved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporters.conversion.graphs import (
    IMAGE_FEATURES,
    TEXT_FEATURES,
    export_head,
    export_image_encoder,
    export_text_encoder,
)
from exporters.digests import digest_of_json
from exporters.fingerprint import package_versions
from exporters.heads import head_for
from exporters.progress import progress
from exporters.repository.publish import write_model
from exporters.repository.variant_models import (
    Encoders,
    ModelFolder,
    ensemble_folder,
    head_folder,
    image_encoder_folder,
    text_encoder_folder,
)
from gateway.contract.manifest import (
    EnsembleManifest,
    Limits,
    ModalitySet,
    ParityPassport,
    Provenance,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from exporters.evaluation.parity import Parity
    from exporters.evaluation.quality import ModalityQuality
    from exporters.training import TrainedVariant

_GRAPHS_FOLDER = ".graphs"
_DEVICE = "cpu"


@dataclass(frozen=True)
class StagedVariant:
    """The models of a variant, written to a staging repository.

    Attributes:
        encoders: the two encoder models.
        heads: the head of each modality set.
        manifests: the manifest of each ensemble, without its passport.
    """

    encoders: Encoders
    heads: Mapping[ModalitySet, ModelFolder]
    manifests: Mapping[ModalitySet, EnsembleManifest]

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

    def stamped(self, proofs: Mapping[ModalitySet, Parity]) -> tuple[ModelFolder, ...]:
        """The ensembles with their passports."""
        manifests = {
            modalities: manifest.model_copy(
                update={"parity": _passport(proofs[modalities], manifest)}
            )
            for modalities, manifest in self.manifests.items()
        }
        return tuple(self._ensembles(manifests).values())

    def _ensembles(
        self, manifests: Mapping[ModalitySet, EnsembleManifest]
    ) -> dict[ModalitySet, ModelFolder]:
        return {
            modalities: ensemble_folder(self.encoders, self.heads[modalities], manifest)
            for modalities, manifest in manifests.items()
        }


def stage_variant(
    variant: TrainedVariant, qualities: Mapping[ModalitySet, ModalityQuality], repository: Path
) -> StagedVariant:
    """Converts a variant and writes its models.

    Args:
        variant: the trained variant.
        qualities: what was measured on held-out examples.
        repository: an empty staging repository.

    Raises:
        ConversionError: a graph is not the module it was made from.
    """
    graphs = repository / _GRAPHS_FOLDER
    graphs.mkdir()
    encoders, heads = _convert(variant, graphs)
    digest = digest_of_json(
        {
            "encoders": [encoders.text.model.name, encoders.image.model.name],
            "heads": {modalities: folder.model.name for modalities, folder in heads.items()},
            "labels": variant.labels,
            "temperatures": variant.temperatures,
        }
    )
    provenance = _provenance(variant)
    manifests = {
        modalities: EnsembleManifest(
            variant=variant.recipe.name,
            digest=digest,
            modalities=modalities,
            labels=variant.labels,
            temperature=variant.temperatures[modalities],
            quality=qualities[modalities].quality,
            parity=None,
            expected_device=_DEVICE,
            limits=Limits(
                max_image_pixels=variant.image_encoder.preprocessing.max_pixels,
                max_text_tokens=variant.text_encoder.tokenizer.max_tokens,
            ),
            provenance=provenance,
        )
        for modalities in ModalitySet
    }
    staged = StagedVariant(encoders, heads, manifests)
    for folder in staged.folders:
        write_model(folder, repository)
    return staged


def _convert(
    variant: TrainedVariant, graphs: Path
) -> tuple[Encoders, dict[ModalitySet, ModelFolder]]:
    target = variant.recipe.target
    dims = {TEXT_FEATURES: variant.text_encoder.dim, IMAGE_FEATURES: variant.image_encoder.dim}
    with progress("Converting to ONNX", 2 + len(ModalitySet)) as advance:
        text_graph = graphs / "text.onnx"
        export_text_encoder(variant.text_encoder, text_graph)
        advance()
        image_graph = graphs / "image.onnx"
        export_image_encoder(variant.image_encoder, image_graph)
        advance()
        heads = {}
        for modalities in ModalitySet:
            graph = graphs / f"head-{modalities}.onnx"
            head_dims = {name: dims[name] for name in _head_inputs(modalities)}
            export_head(head_for(variant.head, modalities).eval(), head_dims, graph)
            heads[modalities] = head_folder(
                variant.recipe.name, modalities, head_dims, len(variant.labels), graph
            )
            advance()
    encoders = Encoders(
        text=text_encoder_folder(variant.text_encoder, text_graph, target),
        image=image_encoder_folder(variant.image_encoder, image_graph, target),
    )
    return encoders, heads


def _head_inputs(modalities: ModalitySet) -> Iterator[str]:
    if modalities.has_text:
        yield TEXT_FEATURES
    if modalities.has_image:
        yield IMAGE_FEATURES


def _provenance(variant: TrainedVariant) -> Provenance:
    recipe = variant.recipe
    return Provenance(
        recipe=recipe.name,
        recipe_digest=recipe.recipe_digest,
        data_digest=variant.data_digest,
        text_encoder=variant.text_encoder.name,
        image_encoder=variant.image_encoder.name,
        head=recipe.head.type,
        seed=recipe.seed,
        created_at=datetime.now(UTC),
        versions=package_versions(),
    )


def _passport(proof: Parity, manifest: EnsembleManifest) -> ParityPassport:
    return ParityPassport(
        has_passed=proof.has_passed,
        samples=proof.samples,
        max_abs_difference=proof.max_abs_difference,
        label_flips=proof.label_flips,
        tolerance=proof.tolerance,
        precision="fp32",
        device=manifest.expected_device,
    )
