from __future__ import annotations

import json
from dataclasses import replace

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from exporters.repository.model_config import (
    EnsembleModel,
    EnsembleStep,
    Queue,
    StepModel,
    TensorSpec,
    to_pbtxt,
)
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest
from tests.gateway.manifests import make_manifest

STEP = StepModel(
    name="head-0123456789ab",
    inputs=(TensorSpec.floats("TEXT_FEATURES", 8),),
    outputs=(TensorSpec.floats("LOGITS", 3),),
    max_batch_size=16,
    instances=2,
    settings={"step": "fusion_head", "graph": "model.onnx"},
)


def parsed(text: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_step_model_reads_back_with_batching_and_settings() -> None:
    config = parsed(to_pbtxt(STEP))

    assert config.backend == "python"
    assert config.max_batch_size == 16
    assert config.instance_group[0].count == 2
    assert config.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_CPU
    assert config.HasField("dynamic_batching")
    assert not config.dynamic_batching.HasField("default_queue_policy")
    assert json.loads(config.parameters["settings"].string_value) == STEP.settings


def test_step_model_with_a_queue_lets_callers_shorten_its_timeout() -> None:
    queued = replace(STEP, queue=Queue(max_size=7, timeout_us=1000))

    policy = parsed(to_pbtxt(queued)).dynamic_batching.default_queue_policy

    assert policy.max_queue_size == 7
    assert policy.default_timeout_microseconds == 1000
    assert policy.allow_timeout_override


def test_ensemble_reads_back_with_its_steps_and_manifest() -> None:
    manifest = make_manifest()
    ensemble = EnsembleModel(
        name="shapes-0123456789ab-text",
        inputs=(TensorSpec.bytes_of("TEXT"),),
        outputs=(TensorSpec.floats("LOGITS", 3),),
        max_batch_size=4,
        steps=(EnsembleStep(STEP.name, {"TEXT_FEATURES": "F"}, {"LOGITS": "LOGITS"}),),
        manifest=manifest,
    )

    config = parsed(to_pbtxt(ensemble))

    assert config.platform == "ensemble"
    assert not config.HasField("dynamic_batching")
    assert config.ensemble_scheduling.step[0].model_name == STEP.name
    assert dict(config.ensemble_scheduling.step[0].input_map) == {"TEXT_FEATURES": "F"}
    text = config.parameters[MANIFEST_PARAMETER].string_value
    assert EnsembleManifest.model_validate_json(text) == manifest


def test_model_without_batching_is_refused() -> None:
    unbatched = StepModel(
        name="x", inputs=(), outputs=(), max_batch_size=0, instances=1, settings={}
    )

    with pytest.raises(ValueError, match="max_batch_size"):
        to_pbtxt(unbatched)
