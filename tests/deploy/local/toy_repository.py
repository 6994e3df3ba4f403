"""Publishes a toy variant under the real contract: real manifests, ensembles and python models.

Its "model" finds the label by the length of what it was sent, which is enough to be loaded by the
real Triton, routed by the real gateway and classified with by the real launcher.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from gateway.contract import tensors
from gateway.contract.manifest import (
    MANIFEST_PARAMETER,
    EnsembleManifest,
    Limits,
    ModalitySet,
    ParityPassport,
    Provenance,
    Quality,
)

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("even", "odd")
_MODEL = """
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        tensors = {each.name(): each.as_numpy() for each in request.inputs()}
        rows = len(next(iter(tensors.values())))
        lengths = np.array([
            sum(len(column[row, 0]) for column in tensors.values()) for row in range(rows)
        ])
        logits = np.stack([1.0 - lengths % 2, lengths % 2], axis=1).astype(np.float32)
        trace = np.ones((rows, 3), dtype=np.float32)
        return pb_utils.InferenceResponse([
            pb_utils.Tensor("LOGITS", logits),
            *(pb_utils.Tensor(f"{name}_TRACE", trace) for name in tensors),
        ])
"""


def publish(
    repository: Path,
    variant: str = "toy",
    digest: str = "a" * 64,
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    *,
    has_passed: bool = True,
) -> None:
    """Writes the three ensembles of one variant, and the model behind each."""
    for modalities in ModalitySet:
        name = f"{variant}-{modalities}-{digest[:12]}"
        manifest = _manifest(variant, digest, modalities, created_at, has_passed=has_passed)
        step = _config(f"{name}-step", modalities)
        step.backend = "python"
        step.instance_group.add(kind=pb.ModelInstanceGroup.KIND_CPU, count=1)
        (repository / step.name / "1").mkdir(parents=True)
        (repository / step.name / "1" / "model.py").write_text(_MODEL, encoding="utf-8")
        _write(repository, step)

        ensemble = _config(name, modalities)
        ensemble.platform = "ensemble"
        ensemble.parameters[MANIFEST_PARAMETER].string_value = manifest.model_dump_json()
        inputs = {each.name: each.name for each in step.input}
        outputs = {each.name: each.name for each in step.output}
        ensemble.ensemble_scheduling.step.add(
            model_name=step.name, model_version=-1, input_map=inputs, output_map=outputs
        )
        (repository / name / "1").mkdir(parents=True)
        _write(repository, ensemble)


def _write(repository: Path, config: pb.ModelConfig) -> None:
    text = text_format.MessageToString(config)
    (repository / config.name / "config.pbtxt").write_text(text, encoding="utf-8")


def _config(name: str, modalities: ModalitySet) -> pb.ModelConfig:
    config = pb.ModelConfig(name=name, max_batch_size=8)
    present = {tensors.IMAGE: modalities.has_image, tensors.TEXT: modalities.has_text}
    config.output.add(name=tensors.LOGITS, data_type=pb.TYPE_FP32, dims=[len(LABELS)])
    for tensor in (name for name, is_present in present.items() if is_present):
        config.input.add(name=tensor, data_type=pb.TYPE_STRING, dims=[1])
        config.output.add(name=f"{tensor}_TRACE", data_type=pb.TYPE_FP32, dims=[3])
    return config


def _manifest(
    variant: str,
    digest: str,
    modalities: ModalitySet,
    created_at: datetime,
    *,
    has_passed: bool,
) -> EnsembleManifest:
    return EnsembleManifest(
        variant=variant,
        digest=digest,
        modalities=modalities,
        labels=LABELS,
        temperature=1.0,
        quality=Quality(examples=1, accuracy=1.0, macro_f1=1.0, expected_calibration_error=0.0),
        parity=ParityPassport(
            has_passed=has_passed,
            samples=64,
            max_abs_difference=0.0,
            label_flips=0,
            tolerance=1e-3,
            precision="fp32",
            device="cpu",
        ),
        expected_device="cpu",
        limits=Limits(max_image_pixels=1_000_000, max_text_tokens=128),
        provenance=Provenance(
            recipe=variant,
            recipe_digest=digest,
            data_digest=digest,
            text_encoder="none",
            image_encoder="none",
            head="length",
            seed=0,
            created_at=created_at,
            versions={},
        ),
    )
