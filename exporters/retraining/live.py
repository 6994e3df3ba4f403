"""The live variant as it lies in the model repository, asked by its own graph.

The candidate is compared with what serves, so the live head is the very ONNX file that Triton
loads. Which captured answers can be used follows from the repository too: those of variants over
the same two encoders, whose models are named by their digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime
from google.protobuf import text_format
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2

from exporters.conversion.graphs import IMAGE_FEATURES, TEXT_FEATURES
from exporters.repository.model_folder import CONFIG
from exporters.retraining.errors import LiveVariantError, NotRetrainableError
from gateway.contract import tensors
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest, ModalitySet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.recipe import Recipe

_GRAPH: Final = "1/model.onnx"


@dataclass(frozen=True)
class _Ensemble:
    """An ensemble of both modalities: its manifest, its encoders' models and its head's."""

    manifest: EnsembleManifest
    encoders: frozenset[str]
    head: str


@dataclass(frozen=True)
class LiveVariant:
    """What serves.

    Attributes:
        manifest: of its ensemble of both modalities.
        head: its ONNX graph.
        digests: of all published variants over the same encoders, its own included.
    """

    manifest: EnsembleManifest
    head: Path
    digests: frozenset[str]

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(str(self.head), providers=["CPUExecutionProvider"])

    def labels_of(self, text: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.int64]:
        """Answers with both modalities.

        Args:
            text: features, shape (rows, text_dim).
            image: features, shape (rows, image_dim).

        Returns:
            Index of the best label, shape (rows,).
        """
        (logits,) = self._session.run(None, {TEXT_FEATURES: text, IMAGE_FEATURES: image})
        best: NDArray[np.int64] = np.asarray(logits).argmax(axis=1)
        return best


def find_live(repository: Path, variant: str, recipe: Recipe) -> LiveVariant:
    """Finds the newest digest of a variant, which is the one that the gateway routes to.

    Raises:
        LiveVariantError: it is not there.
        NotRetrainableError: its encoders are not the recipe's own.
    """
    ensembles = list(_ensembles(repository))
    of_name = [each for each in ensembles if each.manifest.variant == variant]
    if not of_name:
        raise LiveVariantError(variant, repository)
    live = max(of_name, key=lambda each: each.manifest.provenance.created_at.timestamp())
    if live.manifest.provenance.compression:
        raise NotRetrainableError(variant, "its encoders are compressed")
    if live.manifest.dual_tower is not None or live.manifest.tasks:
        raise NotRetrainableError(variant, "it has not one set of labels of its own")
    graph = repository / live.head / _GRAPH
    if not graph.is_file():
        raise NotRetrainableError(recipe.name, f"the model '{live.head}' is no ONNX graph")
    digests = (each.manifest.digest for each in ensembles if each.encoders == live.encoders)
    return LiveVariant(live.manifest, graph, frozenset(digests))


def _ensembles(repository: Path) -> Iterator[_Ensemble]:
    for file in sorted(repository.glob(f"*/{CONFIG}")):
        config = model_config_pb2.ModelConfig()
        try:
            text_format.Parse(file.read_text(encoding="utf-8"), config)
            text = config.parameters[MANIFEST_PARAMETER].string_value
            manifest = EnsembleManifest.model_validate_json(text)
        except (text_format.ParseError, UnicodeDecodeError, ValidationError):
            continue  # a step, or what no gateway routes to
        if manifest.modalities is not ModalitySet.BOTH:
            continue
        heads = [
            step.model_name
            for step in config.ensemble_scheduling.step
            if tensors.LOGITS in step.output_map.values()
        ]
        steps = {step.model_name for step in config.ensemble_scheduling.step}
        if heads:
            yield _Ensemble(manifest, frozenset(steps - set(heads)), heads[0])
