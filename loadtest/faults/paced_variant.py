"""A variant whose only model takes as long as a file says: faults are about the way, not the work.

Triton, its python backend, ensembles, manifests and protocols are the real ones. One model stands
behind all three ensembles, so that a server is up in a second or two; it works on one input at a
time, and `both` are two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

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

NAME: Final = "paced"
LABELS: Final = ("even", "odd")
USUAL_PACE_MS: Final = 10

Device = Literal["cpu", "gpu"]

_DIGEST: Final = "fa" * 32
_STEP: Final = "paced-step"
_PACE_FILE: Final = "pace_ms"
_MODEL: Final = """
import pathlib
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self._pace = pathlib.Path(args["model_repository"]).parent / "pace_ms"

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        begun_s = time.perf_counter()
        content = pb_utils.get_input_tensor_by_name(request, "ANY").as_numpy()
        time.sleep(float(self._pace.read_text()) / 1000)
        is_odd = len(content[0, 0]) % 2
        spent_us = (time.perf_counter() - begun_s) * 1e6
        return pb_utils.InferenceResponse([
            pb_utils.Tensor("LOGITS", np.array([[1 - is_odd, is_odd]], np.float32)),
            pb_utils.Tensor("TRACE", np.array([[0, spent_us, 1]], np.float32)),
        ])
"""


def publish(repository: Path, *, expected_device: Device = "cpu") -> tuple[str, ...]:
    """Writes the ensembles and their model.

    Args:
        repository: where to.
        expected_device: what the manifest says; it works on the CPU either way.

    Returns:
        The names of the ensembles, which load the model too.
    """
    step = pb.ModelConfig(name=_STEP, backend="python", max_batch_size=1)
    step.input.add(name="ANY", data_type=pb.TYPE_STRING, dims=[1])
    step.output.add(name=tensors.LOGITS, data_type=pb.TYPE_FP32, dims=[len(LABELS)])
    step.output.add(name="TRACE", data_type=pb.TYPE_FP32, dims=[len(tensors.TRACE_FIELDS)])
    step.instance_group.add(kind=pb.ModelInstanceGroup.KIND_CPU, count=1)
    _write(repository, step)
    (repository / _STEP / "1" / "model.py").write_text(_MODEL, encoding="utf-8")
    set_pace(repository, USUAL_PACE_MS)
    ensembles = [_ensemble(modalities, expected_device) for modalities in ModalitySet]
    for each in ensembles:
        _write(repository, each)
    return tuple(each.name for each in ensembles)


def set_pace(repository: Path, pace_ms: float) -> None:
    """Says how long the model takes for one input from now on, in milliseconds."""
    scratch = repository / f".{_PACE_FILE}"
    scratch.write_text(str(pace_ms), encoding="ascii")
    scratch.replace(repository / _PACE_FILE)


def _ensemble(modalities: ModalitySet, device: Device) -> pb.ModelConfig:
    config = pb.ModelConfig(
        name=f"{NAME}-{_DIGEST[:12]}-{modalities}", platform="ensemble", max_batch_size=1
    )
    manifest = _manifest(modalities, device)
    config.parameters[MANIFEST_PARAMETER].string_value = manifest.model_dump_json()
    config.output.add(name=tensors.LOGITS, data_type=pb.TYPE_FP32, dims=[len(LABELS)])
    inputs = {
        tensors.IMAGE: (modalities.has_image, tensors.IMAGE_TRACE),
        tensors.TEXT: (modalities.has_text, tensors.TEXT_TRACE),
    }
    has_logits = False
    for name, (is_there, trace) in inputs.items():
        if not is_there:
            continue
        config.input.add(name=name, data_type=pb.TYPE_STRING, dims=[1])
        config.output.add(name=trace, data_type=pb.TYPE_FP32, dims=[len(tensors.TRACE_FIELDS)])
        outputs = {"TRACE": trace} if has_logits else {"TRACE": trace, "LOGITS": tensors.LOGITS}
        has_logits = True
        config.ensemble_scheduling.step.add(
            model_name=_STEP, model_version=-1, input_map={"ANY": name}, output_map=outputs
        )
    return config


def _write(repository: Path, config: pb.ModelConfig) -> None:
    (repository / config.name / "1").mkdir(parents=True)
    text = text_format.MessageToString(config)
    (repository / config.name / "config.pbtxt").write_text(text, encoding="utf-8")


def _manifest(modalities: ModalitySet, device: Device) -> EnsembleManifest:
    return EnsembleManifest(
        variant=NAME,
        digest=_DIGEST,
        modalities=modalities,
        labels=LABELS,
        temperature=1.0,
        quality=Quality(examples=1, accuracy=1.0, macro_f1=1.0, expected_calibration_error=0.0),
        # A stand-in has nothing to be proved against; without a passport nothing would be routed.
        parity=ParityPassport(
            has_passed=True,
            samples=1,
            max_abs_difference=0.0,
            label_flips=0,
            tolerance=1e-3,
            precision="fp32",
            device="cpu",
        ),
        expected_device=device,
        limits=Limits(max_image_pixels=1_000_000, max_text_tokens=128),
        provenance=Provenance(
            recipe=NAME,
            recipe_digest=_DIGEST,
            data_digest=_DIGEST,
            text_encoder="none",
            image_encoder="none",
            head="length",
            seed=0,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            versions={},
        ),
    )
