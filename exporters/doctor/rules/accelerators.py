"""What the onnxruntime backend makes of the keys it is given.

The lists are those of the backend's own source (triton-inference-server/onnxruntime_backend,
`src/onnxruntime.cc`): it looks for the parameters it knows, passes over all others, and fails the
load for an accelerator, or a key of the `tensorrt` accelerator, that it does not know.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from tritonclient.grpc import model_config_pb2

from exporters.doctor.finding import Fault, Rule, Severity, Site

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from exporters.doctor.model_repository import RepositoryModel

_PRECISION_MODE: Final = "precision_mode"
_TENSORRT: Final = "tensorrt"
_GPU_ACCELERATORS: Final = frozenset({"cuda", _TENSORRT})
_CPU_ACCELERATORS: Final = frozenset({"openvino"})

_MODEL_KEYS: Final = frozenset(
    {
        "arena_extend_strategy",
        "cudnn_conv_algo_search",
        "do_copy_in_default_stream",
        "enable_mem_arena",
        "enable_mem_pattern",
        "execution_mode",
        "gpu_mem_limit",
        "inter_op_thread_count",
        "intra_op_thread_count",
        "memory.enable_memory_arena_shrinkage",
        "session.use_device_allocator_for_initializers",
        "share_session_between_instances",
    }
)
_TENSORRT_KEYS: Final = frozenset(
    {
        "int8_calibration_table_name",
        "int8_use_native_calibration_table",
        "max_workspace_size_bytes",
        _PRECISION_MODE,
        "trt_auxiliary_streams",
        "trt_build_heuristics_enable",
        "trt_builder_optimization_level",
        "trt_context_memory_sharing_enable",
        "trt_cuda_graph_enable",
        "trt_detailed_build_log",
        "trt_dla_core",
        "trt_dla_enable",
        "trt_dump_ep_context_model",
        "trt_dump_subgraphs",
        "trt_engine_cache_enable",
        "trt_engine_cache_path",
        "trt_engine_cache_prefix",
        "trt_ep_context_embed_mode",
        "trt_ep_context_file_path",
        "trt_extra_plugin_lib_paths",
        "trt_force_sequential_engine_build",
        "trt_force_timing_cache",
        "trt_layer_norm_fp32_fallback",
        "trt_max_partition_iterations",
        "trt_min_subgraph_size",
        "trt_profile_max_shapes",
        "trt_profile_min_shapes",
        "trt_profile_opt_shapes",
        "trt_sparsity_enable",
        "trt_tactic_sources",
        "trt_timing_cache_enable",
        "trt_timing_cache_path",
    }
)


def unknown_parameters(site: Site) -> Iterator[Fault]:
    """Parameters that the backend passes over."""
    for step in _onnx_steps(site):
        for key in sorted(step.config.parameters.keys() - _MODEL_KEYS - {_PRECISION_MODE}):
            yield Fault(
                step.name,
                f"The onnxruntime backend reads no parameter {key}: it does nothing.",
                _nearest(key, _MODEL_KEYS),
            )


def unknown_accelerators(site: Site) -> Iterator[Fault]:
    """Accelerators, and keys of them, that fail the load."""
    for step in _onnx_steps(site):
        accelerators = step.config.optimization.execution_accelerators
        for known, given in (
            (_GPU_ACCELERATORS, accelerators.gpu_execution_accelerator),
            (_CPU_ACCELERATORS, accelerators.cpu_execution_accelerator),
        ):
            for accelerator in given:
                yield from _accelerator_faults(step, accelerator, known)


def ignored_precisions(site: Site) -> Iterator[Fault]:
    """A `precision_mode` that changes nothing, now or in the next container."""
    for step in _onnx_steps(site):
        accelerators = step.config.optimization.execution_accelerators.gpu_execution_accelerator
        is_asked = any(
            each.name == _TENSORRT and _PRECISION_MODE in each.parameters for each in accelerators
        )
        cpu = model_config_pb2.ModelInstanceGroup.KIND_CPU
        groups = step.config.instance_group
        if _PRECISION_MODE in step.config.parameters:
            reason = "It is a parameter of the model, where nothing reads it"
        elif is_asked and groups and all(group.kind == cpu for group in groups):
            reason = "Its instances are KIND_CPU, where no GPU accelerator is looked at"
        elif is_asked:
            reason = (
                "TensorRT 11, in containers after 26.05, has no precision flags and takes the "
                "graph's own precision"
            )
        else:
            continue
        yield Fault(
            step.name,
            f"Its precision_mode does nothing. {reason}.",
            "Export the graph itself in the precision that is meant (target gpu does).",
        )


def _onnx_steps(site: Site) -> Iterator[RepositoryModel]:
    return (step for step in site.repository.steps if step.is_onnx)


def _accelerator_faults(
    step: RepositoryModel,
    accelerator: Any,  # noqa: ANN401  # a nested message has no type
    known: Collection[str],
) -> Iterator[Fault]:
    if accelerator.name not in known:
        yield Fault(
            step.name,
            f"There is no accelerator {accelerator.name} there: the load fails.",
            _nearest(accelerator.name, known),
        )
    elif accelerator.name == _TENSORRT:
        for key in sorted(accelerator.parameters.keys() - _TENSORRT_KEYS):
            yield Fault(
                step.name,
                f"The accelerator tensorrt has no key {key}: the load fails.",
                _nearest(key, _TENSORRT_KEYS),
            )


def _nearest(key: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    return f"Did you mean {nearest[0]}?" if nearest else f"Remove {key}."


RULES: Final = (
    Rule(
        "precision-ignored",
        Severity.WARNING,
        "a `precision_mode` that does nothing: not under `tensorrt`, on a CPU, or TensorRT 11",
        ignored_precisions,
    ),
    Rule(
        "parameter-unknown",
        Severity.WARNING,
        "a parameter that the onnxruntime backend does not read",
        unknown_parameters,
    ),
    Rule(
        "accelerator-unknown",
        Severity.ERROR,
        "an execution accelerator, or a key of it, that fails the load",
        unknown_accelerators,
    ),
)
