from __future__ import annotations

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from tests.exporters.repository.golden_configs import GOLDEN, golden_models, golden_text
from tests.small_repository import TARGETS

_KIND = pb.ModelInstanceGroup


def golden(target: str) -> list[pb.ModelConfig]:
    return [
        text_format.Parse(f"# {text}", pb.ModelConfig())  # the headline is a comment
        for text in golden_models(target)
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_golden_config_is_what_the_code_writes(target: str) -> None:
    text = (GOLDEN / f"{target}.pbtxt").read_text(encoding="utf-8")

    assert text == golden_text(target), "run: python -m tests.exporters.repository.golden_configs"


def test_golden_ensembles_of_all_targets_have_one_name_and_signature() -> None:
    signatures = {
        target: [
            (config.name, list(config.input), list(config.output))
            for config in golden(target)
            if config.platform == "ensemble"
        ]
        for target in TARGETS
    }

    assert len(signatures["embedded"]) == 3
    assert all(each == signatures["embedded"] for each in signatures.values())


@pytest.mark.parametrize(("target", "kind"), [("cpu", _KIND.KIND_CPU), ("gpu", _KIND.KIND_AUTO)])
def test_golden_native_graphs_run_where_their_target_says(target: str, kind: int) -> None:
    graphs = [config for config in golden(target) if config.backend == "onnxruntime"]

    assert len(graphs) == 5  # two encoders, three heads
    for config in graphs:
        assert [group.kind for group in config.instance_group] == [kind]
        assert config.parameters["intra_op_thread_count"].string_value == "1"
        assert config.model_warmup


def test_golden_plans_run_on_a_gpu_or_not_at_all_with_a_profile_for_each_bucket() -> None:
    plans = [config for config in golden("tensorrt") if config.backend == "tensorrt"]

    assert len(plans) == 5
    for config in plans:
        [group] = config.instance_group
        assert group.kind == _KIND.KIND_GPU
        assert config.default_model_filename == "model.plan"
        # One warm-up for each profile: an instance is ready when it has run them all.
        assert list(group.profile) == [str(each) for each in range(len(config.model_warmup))]
        assert not config.parameters  # no precision flag: TensorRT 11 has none


def test_golden_text_encoder_is_warmed_up_at_every_bucket_that_the_tokeniser_pads_to() -> None:
    configs = {config.name.partition("-<")[0]: config for config in golden("cpu")}
    settings = configs["tokenise"].parameters["settings"].string_value
    lengths = [
        sample.inputs["input_ids"].dims[0] for sample in configs["text-encoder-fp32"].model_warmup
    ]

    assert f'"token_buckets": {lengths}' in settings
    assert lengths == [16, 32, 64]
