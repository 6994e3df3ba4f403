"""Each rule on a sound repository, and on the same with its fault."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from exporters.doctor import Machine, examine, read_repository
from exporters.doctor.machine import MIB
from exporters.doctor.rules import RULES
from tests.exporters.doctor.faulty_repository import (
    ROOMY,
    edit,
    edit_manifest,
    findings_of,
    folder_of,
)
from tests.small_repository import TARGETS, write_small_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOTH = "demo-aaaaaaaaaaaa-both"
IMAGE = "demo-aaaaaaaaaaaa-image"


@pytest.fixture
def cpu(tmp_path: Path) -> Path:
    return write_small_repository("cpu", tmp_path / "cpu")


@pytest.fixture
def gpu(tmp_path: Path) -> Path:
    return write_small_repository("gpu", tmp_path / "gpu")


@pytest.mark.parametrize("target", TARGETS)
def test_rules_sound_repository_of_each_target_find_nothing(target: str, tmp_path: Path) -> None:
    repository = write_small_repository(target, tmp_path)

    assert examine(read_repository(repository), ROOMY) == ()


def test_rules_have_codes_of_their_own() -> None:
    codes = [rule.code for rule in RULES]

    assert len(set(codes)) == len(codes)


def test_config_unreadable_broken_and_missing_ones_are_told(cpu: Path) -> None:
    folder_of(cpu, "decode").joinpath("config.pbtxt").write_text("backend: {", encoding="utf-8")
    folder_of(cpu, "tokenise").joinpath("config.pbtxt").unlink()

    findings = findings_of("config-unreadable", cpu)

    assert [finding.model.partition("-")[0] for finding in findings] == ["decode", "tokenise"]
    assert findings_of("step-missing", cpu) == []  # they are there: one fault, one finding


def test_file_missing_no_version_and_no_graph_are_told(cpu: Path) -> None:
    shutil.rmtree(folder_of(cpu, "decode") / "1")
    (folder_of(cpu, "text-encoder") / "1" / "model.onnx").unlink()

    reasons = [finding.reason for finding in findings_of("file-missing", cpu)]

    assert len(reasons) == 2
    assert "no version folder" in reasons[0]
    assert "model.onnx" in reasons[1]


@pytest.mark.parametrize("file", ["1/model.onnx", "warmup/input_ids-16"])
def test_digest_stale_changed_file_is_told(cpu: Path, file: str) -> None:
    encoder = folder_of(cpu, "text-encoder")
    (encoder / file).write_bytes(b"changed")

    assert [finding.model for finding in findings_of("digest-stale", cpu)] == [encoder.name]


def test_digest_stale_changed_config_and_foreign_manifest_are_told(cpu: Path) -> None:
    def more_instances(config: pb.ModelConfig) -> None:
        config.instance_group[0].count = 7

    changed = edit(cpu, "decode", more_instances)
    foreign = edit_manifest(cpu, BOTH, digest="b" * 64)

    assert {finding.model for finding in findings_of("digest-stale", cpu)} == {changed, foreign}


def test_passport_missing_unproved_and_failed_and_foreign_ones_are_told(cpu: Path) -> None:
    manifest = read_repository(cpu).models[BOTH].manifest
    assert manifest is not None
    assert manifest.parity is not None
    failed = manifest.parity.model_copy(update={"has_passed": False})
    edit_manifest(cpu, BOTH, parity=None)
    edit_manifest(cpu, IMAGE, parity=failed)
    edit(cpu, "demo-aaaaaaaaaaaa-text", lambda config: config.parameters.clear())

    reasons = [finding.reason for finding in findings_of("passport-missing", cpu)]

    assert [reason.partition(":")[0] for reason in reasons] == [
        "Its parity with the trained model was never proved",
        "Its parity proof failed",
        "It has no manifest that this version can read",
    ]


def test_warm_up_missing_graph_and_foreign_python_model_are_told(cpu: Path) -> None:
    graph = edit(cpu, "image-encoder", lambda config: config.ClearField("model_warmup"))
    foreign = edit(cpu, "decode", lambda config: config.parameters.clear())

    assert {f.model for f in findings_of("warm-up-missing", cpu)} == {graph, foreign}


def test_step_missing_ensemble_is_told(cpu: Path) -> None:
    shutil.rmtree(folder_of(cpu, "demo-head-both"))

    [finding] = findings_of("step-missing", cpu)

    assert finding.model == BOTH
    assert "demo-head-both" in finding.reason
    assert findings_of("tensor-mismatch", cpu) == []  # one fault, one finding


def test_batch_mismatch_small_step_is_told_of_its_ensembles(cpu: Path) -> None:
    def one_row(config: pb.ModelConfig) -> None:
        config.max_batch_size = 1

    edit(cpu, "image-encoder", one_row)

    assert {f.model for f in findings_of("batch-mismatch", cpu)} == {BOTH, IMAGE}


def _other_shape(config: pb.ModelConfig) -> None:
    config.output[0].dims[:] = [33]


def _other_type(config: pb.ModelConfig) -> None:
    config.output[0].data_type = pb.TYPE_FP16


def _other_name(config: pb.ModelConfig) -> None:
    config.output[0].name = "pooled"


def _one_input_more(config: pb.ModelConfig) -> None:
    config.input.add(name="token_type_ids", data_type=pb.TYPE_INT64, dims=[-1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_other_shape, "TEXT_FEATURES is TYPE_FP32 [33]"),
        (_other_type, "TEXT_FEATURES is TYPE_FP16 [32]"),
        (_other_name, "has no output features"),
        (_one_input_more, "Input token_type_ids of step"),
    ],
)
def test_tensor_mismatch_says_what_differs(
    cpu: Path, change: Callable[[pb.ModelConfig], None], words: str
) -> None:
    edit(cpu, "text-encoder", change)

    findings = findings_of("tensor-mismatch", cpu)

    assert {finding.model for finding in findings} == {BOTH, "demo-aaaaaaaaaaaa-text"}
    assert any(words in finding.reason for finding in findings)


def test_tensor_mismatch_names_a_tensor_that_nothing_takes(cpu: Path) -> None:
    def one_output_more(config: pb.ModelConfig) -> None:
        for step in config.ensemble_scheduling.step:
            if "TEXT_FEATURES" in step.output_map.values():
                step.output_map["sequence"] = "TEXT_SEQUENCE"

    def give_it(config: pb.ModelConfig) -> None:
        config.output.add(name="sequence", data_type=pb.TYPE_FP32, dims=[-1, 32])

    edit(cpu, "text-encoder", give_it)
    edit(cpu, BOTH, one_output_more)

    [finding] = findings_of("tensor-mismatch", cpu)

    assert finding.model == BOTH
    assert "Nothing takes TEXT_SEQUENCE" in finding.reason


def test_tensor_mismatch_optional_input_may_be_fed_by_nothing(cpu: Path) -> None:
    def one_optional_input_more(config: pb.ModelConfig) -> None:
        _one_input_more(config)
        config.input[-1].optional = True

    edit(cpu, "text-encoder", one_optional_input_more)

    assert findings_of("tensor-mismatch", cpu) == []


def test_text_never_batches_without_buckets_is_told_and_ragged_is_not(cpu: Path) -> None:
    def ragged(config: pb.ModelConfig) -> None:
        for tensor in config.input:
            tensor.allow_ragged_batch = True

    edit(cpu, "tokenise", lambda config: config.parameters.clear())

    [finding] = findings_of("text-never-batches", cpu)
    assert finding.model.startswith("text-encoder")
    assert "input_ids, attention_mask" in finding.reason
    edit(cpu, "text-encoder", ragged)
    assert findings_of("text-never-batches", cpu) == []


def _no_batcher(config: pb.ModelConfig) -> None:
    config.ClearField("dynamic_batching")


def _no_limit(config: pb.ModelConfig) -> None:
    config.dynamic_batching.default_queue_policy.max_queue_size = 0


def _no_override(config: pb.ModelConfig) -> None:
    config.dynamic_batching.default_queue_policy.allow_timeout_override = False


def _no_default(config: pb.ModelConfig) -> None:
    config.dynamic_batching.default_queue_policy.default_timeout_microseconds = 0


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("queue-unlimited", _no_batcher),
        ("queue-unlimited", _no_limit),
        ("timeout-ignored", _no_batcher),
        ("timeout-ignored", _no_override),
        ("timeout-ignored", _no_default),
    ],
)
def test_queue_policy_that_protects_nothing_is_told(
    cpu: Path, code: str, change: Callable[[pb.ModelConfig], None]
) -> None:
    name = edit(cpu, "image-encoder", change)

    assert [finding.model for finding in findings_of(code, cpu)] == [name]


@pytest.mark.parametrize("code", ["queue-unlimited", "timeout-ignored"])
def test_queue_of_a_python_model_counts_only_without_a_gateway(cpu: Path, code: str) -> None:
    assert findings_of(code, cpu) == []  # decode has no queue policy

    edit(cpu, IMAGE, lambda config: config.parameters.clear())

    # One caller without a manifest is one that the gateway does not stand before.
    assert [f.model.partition("-")[0] for f in findings_of(code, cpu)] == ["decode"]


def test_threads_oversubscribed_counts_instances_times_threads(cpu: Path) -> None:
    def all_cores(config: pb.ModelConfig) -> None:
        config.parameters.pop("intra_op_thread_count")

    small = Machine(cores=1, shared_memory_bytes=ROOMY.shared_memory_bytes)
    on_one_core = findings_of("threads-oversubscribed", cpu, small)
    name = edit(cpu, "image-encoder", all_cores)
    [on_eight_cores] = findings_of("threads-oversubscribed", cpu)

    # Of the small variant's models these two have two instances, of one thread each.
    assert {f.model.partition("-")[0] for f in on_one_core} == {"image", "decode"}
    assert on_eight_cores.model == name
    assert on_eight_cores.reason.startswith("2 instances of 8 threads compete for 8 cores")


def test_threads_oversubscribed_without_instance_group_takes_the_backends_default(
    cpu: Path,
) -> None:
    edit(cpu, "text-encoder", lambda config: config.ClearField("instance_group"))
    small = Machine(cores=1, shared_memory_bytes=ROOMY.shared_memory_bytes)

    findings = findings_of("threads-oversubscribed", cpu, small)

    assert any(f.reason.startswith("2 ") for f in findings if f.model.startswith("text"))


def test_cpu_fallback_silent_without_an_expected_device_is_told(gpu: Path) -> None:
    for ensemble in (BOTH, "demo-aaaaaaaaaaaa-text"):
        edit(gpu, ensemble, lambda config: config.parameters.clear())

    models = {finding.model for finding in findings_of("cpu-fallback-silent", gpu)}

    # The image encoder and its head are still called by an ensemble that expects a GPU.
    assert {name.rpartition("-")[0] for name in models} == {
        "text-encoder-fp16",
        "demo-head-both",
        "demo-head-text",
    }


def test_cpu_fallback_silent_list_of_gpus_and_broken_promise_are_told(gpu: Path) -> None:
    def list_gpus(config: pb.ModelConfig) -> None:
        config.instance_group[0].gpus.extend([0, 1])

    def on_cpu(config: pb.ModelConfig) -> None:
        config.instance_group[0].kind = pb.ModelInstanceGroup.KIND_CPU

    listed = edit(gpu, "image-encoder", list_gpus)
    for prefix in ("text-encoder", "demo-head-text"):
        edit(gpu, prefix, on_cpu)

    models = {finding.model for finding in findings_of("cpu-fallback-silent", gpu)}

    assert models == {listed, "demo-aaaaaaaaaaaa-text"}


def test_shared_memory_small_counts_the_processes_of_the_python_backend(cpu: Path) -> None:
    tight = Machine(cores=8, shared_memory_bytes=64 * MIB)

    [finding] = findings_of("shared-memory-small", cpu, tight)

    assert "3 processes of the python backend need 192 MiB" in finding.reason


def _accelerate(name: str, **parameters: str) -> Callable[[pb.ModelConfig], None]:
    def change(config: pb.ModelConfig) -> None:
        accelerators = config.optimization.execution_accelerators
        accelerators.gpu_execution_accelerator.add(name=name, parameters=parameters)

    return change


def _model_parameter(key: str) -> Callable[[pb.ModelConfig], None]:
    def change(config: pb.ModelConfig) -> None:
        config.parameters[key].string_value = "FP16"

    return change


@pytest.mark.parametrize(
    ("target", "change", "words"),
    [
        ("gpu", _accelerate("tensorrt", precision_mode="FP16"), "TensorRT 11"),
        ("cpu", _accelerate("tensorrt", precision_mode="FP16"), "KIND_CPU"),
        ("gpu", _model_parameter("precision_mode"), "parameter of the model"),
    ],
)
def test_precision_ignored_says_why(
    target: str, change: Callable[[pb.ModelConfig], None], words: str, tmp_path: Path
) -> None:
    repository = write_small_repository(target, tmp_path)
    edit(repository, "image-encoder", change)

    [finding] = findings_of("precision-ignored", repository)

    assert words in finding.reason


def test_precision_ignored_tensorrt_without_it_is_sound(gpu: Path) -> None:
    edit(gpu, "image-encoder", _accelerate("tensorrt", trt_engine_cache_enable="1"))

    assert findings_of("precision-ignored", gpu) == []
    assert findings_of("accelerator-unknown", gpu) == []


def test_parameter_unknown_names_the_nearest(cpu: Path) -> None:
    edit(cpu, "image-encoder", _model_parameter("intra_op_threads_count"))

    [finding] = findings_of("parameter-unknown", cpu)

    assert "intra_op_threads_count" in finding.reason
    assert finding.remedy == "Did you mean intra_op_thread_count?"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_accelerate("tensorrt", trt_engine_cache="1"), "no key trt_engine_cache:"),
        (_accelerate("openvino"), "no accelerator openvino there"),  # that one is for CPUs
    ],
)
def test_accelerator_unknown_is_told(
    gpu: Path, change: Callable[[pb.ModelConfig], None], words: str
) -> None:
    edit(gpu, "image-encoder", change)

    [finding] = findings_of("accelerator-unknown", gpu)

    assert words in finding.reason
