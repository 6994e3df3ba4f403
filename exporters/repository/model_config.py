"""Typed description of a Triton model, and its `config.pbtxt` through Triton's own protobuf.

Nothing here knows encoders or heads: `variant_models` says which models a variant is made of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from gateway.contract.drift.reference import REFERENCE_PARAMETER
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.contract.drift.reference import DriftReference

SETTINGS_PARAMETER: Final = "settings"


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of a model; `shape` leaves out the batch axis and has -1 where it varies.

    Requests whose tensors have different shapes share a batch only where `is_ragged`; then the
    model must lay them together itself.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    is_ragged: bool = False

    @classmethod
    def bytes_of(cls, name: str) -> TensorSpec:
        """One byte string a row, such as an image file or a text."""
        return cls(name, "TYPE_STRING", (1,))

    @classmethod
    def floats(cls, name: str, width: int) -> TensorSpec:
        """A float32 vector a row."""
        return cls(name, "TYPE_FP32", (width,))

    @classmethod
    def features(cls, name: str, shape: tuple[int, ...]) -> TensorSpec:
        """What a head takes or an encoder gives: a float32 vector a row, or a sequence of them."""
        return cls(name, "TYPE_FP32", shape)


@dataclass(frozen=True)
class Queue:
    """The dynamic batcher's queue, in front of a model.

    Attributes:
        max_size: requests that may wait; Triton rejects the next one. A backstop: the gateway
            admits fewer.
        timeout_us: a request that waited longer is rejected. Callers may shorten it: Triton
            ignores a request's own timeout unless the model sets one and allows the override.
    """

    max_size: int = 256
    timeout_us: int = 10_000_000


@dataclass(frozen=True)
class StepModel:
    """A model that computes: one step of an ensemble, run by the python backend.

    Attributes:
        name: the immutable model name.
        inputs, outputs: its tensors.
        max_batch_size: rows of one execution.
        instances: processes that run it side by side.
        settings: what the step reads when it starts; JSON values.
        delay_us: how long the oldest request may wait for a larger batch, in µs.
        queue: limits of its dynamic batcher's queue; None has none. With any limit Triton forms the
            next batch only after the last one has ended, and now and then misses that end by
            500 ms (see DECISIONS.md, 6).
    """

    name: str
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    max_batch_size: int
    instances: int
    settings: Mapping[str, Any]
    delay_us: int = 0
    queue: Queue | None = None

    def to_protobuf(self) -> model_config_pb2.ModelConfig:
        """The configuration as Triton's own message."""
        config = _skeleton(self)
        config.backend = "python"
        config.instance_group.add(
            count=self.instances, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU
        )
        _add_batcher(config, self.queue, self.delay_us)
        config.parameters[SETTINGS_PARAMETER].string_value = json.dumps(
            dict(self.settings), sort_keys=True
        )
        return config


@dataclass(frozen=True)
class WarmupSample:
    """A request that Triton sends to a model before it is ready.

    Attributes:
        name: what the log calls it.
        tensors: its inputs without the batch axis, each of a fixed shape.
        files: file of the warm-up folder with the content of an input, by the input's name; an
            input without one is filled with random numbers.
    """

    name: str
    tensors: Sequence[TensorSpec]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NativeModel:
    """A graph that Triton's own onnxruntime backend runs, or a plan that its TensorRT backend does.

    Attributes:
        name: the immutable model name.
        inputs, outputs: the graph's own tensors.
        max_batch_size: rows of one execution.
        instances: sessions that run it side by side.
        kind: KIND_CPU, KIND_AUTO for a GPU where there is one when the model loads, or KIND_GPU.
        parameters: what the backend reads, such as `intra_op_thread_count`.
        warmup: requests that it answers before it is ready.
        backend: what runs it.
        profiles: optimisation profiles of a plan; an instance has all, and takes the one that a
            batch's shape is in.
        queue: its dynamic batcher's queue.
        delay_us: how long the oldest request may wait for a larger batch, in µs.
    """

    name: str
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    max_batch_size: int
    instances: int
    kind: Literal["KIND_CPU", "KIND_AUTO", "KIND_GPU"]
    parameters: Mapping[str, str]
    warmup: Sequence[WarmupSample]
    backend: Literal["onnxruntime", "tensorrt"] = "onnxruntime"
    profiles: int = 0
    queue: Queue = field(default_factory=Queue)
    delay_us: int = 0

    @property
    def file(self) -> str:
        """What its backend opens, in the version folder."""
        return "model.plan" if self.backend == "tensorrt" else "model.onnx"

    def to_protobuf(self) -> model_config_pb2.ModelConfig:
        """The configuration as Triton's own message."""
        config = _skeleton(self)
        config.backend = self.backend
        config.default_model_filename = self.file
        config.instance_group.add(
            count=self.instances,
            kind=model_config_pb2.ModelInstanceGroup.Kind.Value(self.kind),
            profile=[str(index) for index in range(self.profiles)],
        )
        _add_batcher(config, self.queue, self.delay_us)
        for key, value in self.parameters.items():
            config.parameters[key].string_value = value
        for sample in self.warmup:
            _add_warmup(config, sample)
        return config


@dataclass(frozen=True)
class EnsembleStep:
    """One step of an ensemble: the model, and its tensor names to the ensemble's."""

    model: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class EnsembleModel:
    """An ensemble: what a client calls."""

    name: str
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    max_batch_size: int
    steps: Sequence[EnsembleStep]
    manifest: EnsembleManifest
    drift_reference: DriftReference | None = None

    def to_protobuf(self) -> model_config_pb2.ModelConfig:
        """The configuration as Triton's own message."""
        config = _skeleton(self)
        config.platform = "ensemble"
        for step in self.steps:
            config.ensemble_scheduling.step.add(
                model_name=step.model,
                model_version=-1,
                input_map=dict(step.inputs),
                output_map=dict(step.outputs),
            )
        config.parameters[MANIFEST_PARAMETER].string_value = self.manifest.model_dump_json()
        if self.drift_reference is not None:
            reference = self.drift_reference.model_dump_json()
            config.parameters[REFERENCE_PARAMETER].string_value = reference
        return config


def to_pbtxt(model: StepModel | NativeModel | EnsembleModel) -> str:
    """The text of a `config.pbtxt`."""
    return text_format.MessageToString(model.to_protobuf(), as_utf8=True)


def _add_batcher(config: model_config_pb2.ModelConfig, queue: Queue | None, delay_us: int) -> None:
    # Present and, by default, empty: batching without a delay. What arrives while an instance works
    # is a batch already, and on a CPU, where a batch saves little, waiting for one costs every
    # request.
    config.dynamic_batching.SetInParent()
    config.dynamic_batching.max_queue_delay_microseconds = delay_us
    if queue is None:
        return
    policy = config.dynamic_batching.default_queue_policy
    policy.timeout_action = model_config_pb2.ModelQueuePolicy.REJECT
    policy.default_timeout_microseconds = queue.timeout_us
    policy.allow_timeout_override = True
    policy.max_queue_size = queue.max_size


def _add_warmup(config: model_config_pb2.ModelConfig, sample: WarmupSample) -> None:
    warmup = config.model_warmup.add(name=sample.name, batch_size=1)
    for spec in sample.tensors:
        content = warmup.inputs[spec.name]
        content.data_type = model_config_pb2.DataType.Value(spec.dtype)
        content.dims.extend(spec.shape)
        if spec.name in sample.files:
            content.input_data_file = sample.files[spec.name]
        else:
            content.random_data = True


def _skeleton(model: StepModel | NativeModel | EnsembleModel) -> model_config_pb2.ModelConfig:
    if model.max_batch_size < 1:
        # Proto text drops a zero, which Triton would then read as "not batched".
        message = f"model {model.name}: max_batch_size must be at least 1"
        raise ValueError(message)
    config = model_config_pb2.ModelConfig(name=model.name, max_batch_size=model.max_batch_size)
    for spec in model.inputs:
        config.input.add(
            name=spec.name,
            data_type=model_config_pb2.DataType.Value(spec.dtype),
            dims=spec.shape,
            allow_ragged_batch=spec.is_ragged,
        )
    for spec in model.outputs:
        config.output.add(
            name=spec.name,
            data_type=model_config_pb2.DataType.Value(spec.dtype),
            dims=spec.shape,
        )
    return config
