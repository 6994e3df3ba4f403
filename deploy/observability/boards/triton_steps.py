"""Which step of the ensembles is slow, and does it wait or compute?"""

from __future__ import annotations

from typing import Final

from deploy.observability.panels import Board, Kind, Panel, Query, Row, Unit

_NS: Final = 'namespace=~"$namespace"'
# Ensembles are named after their three forms; their times are the sums of their steps'.
_STEPS: Final = f'{_NS},model!~".+-[0-9a-f]{{12}}-(both|text|image)"'
_ENSEMBLES: Final = f'{_NS},model=~".+-[0-9a-f]{{12}}-(both|text|image)"'
_RATE: Final = "[$__rate_interval]"
_SHM: Final = f'{_NS},mountpoint="/dev/shm"'


def _mean_seconds(counter_us: str, labels: str = _STEPS) -> str:
    """Time a request, in seconds, of one of Triton's counters of microseconds."""
    return (
        f"sum by (model) (rate({counter_us}{{{labels}}}{_RATE})) / "
        f"(sum by (model) (rate(nv_inference_request_success{{{labels}}}{_RATE})) > 0) / 1e6"
    )


_STEPS_ROW = Row(
    "Steps",
    (
        Panel(
            "Waiting, a request",
            "Before a step starts. Above 0.1 s it eats the budget of 500 ms.",
            Unit.SECONDS,
            (Query(_mean_seconds("nv_inference_queue_duration_us"), "{{model}}"),),
            limit=0.1,
        ),
        Panel(
            "Computing, a request",
            "Of a batch each request counts the whole time.",
            Unit.SECONDS,
            (Query(_mean_seconds("nv_inference_compute_infer_duration_us"), "{{model}}"),),
        ),
        Panel(
            "Requests that wait now",
            "Live, while the times above move only when a request ends.",
            Unit.COUNT,
            (
                Query(
                    f"sum by (model) (nv_inference_pending_request_count{{{_STEPS}}})", "{{model}}"
                ),
            ),
            kind=Kind.STACK,
            limit=16,
        ),
        Panel(
            "Batch size, mean",
            "Inferences for each execution. Full batches and a queue: too few replicas.",
            Unit.COUNT,
            (
                Query(
                    f"sum by (model) (rate(nv_inference_count{{{_STEPS}}}{_RATE})) / "
                    f"(sum by (model) (rate(nv_inference_exec_count{{{_STEPS}}}{_RATE})) > 0)",
                    "{{model}}",
                ),
            ),
        ),
        Panel(
            "Answers",
            "Of each step, a second.",
            Unit.PER_SECOND,
            (
                Query(
                    f"sum by (model) (rate(nv_inference_request_success{{{_STEPS}}}{_RATE}))",
                    "{{model}}",
                ),
            ),
        ),
        Panel(
            "Failures, by reason",
            "`BACKEND` raised, `REJECTED` by a full queue, `CANCELED` by a caller who left.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (model, reason) "
                    f"(rate(nv_inference_request_failure{{{_STEPS}}}{_RATE})) > 0",
                    "{{model}} {{reason}}",
                ),
            ),
            empty_because="nothing failed",
        ),
        Panel(
            "Copying in and out, a request",
            "Between steps; grows with the size of tensors, not with the model.",
            Unit.SECONDS,
            (
                Query(_mean_seconds("nv_inference_compute_input_duration_us"), "in: {{model}}"),
                Query(_mean_seconds("nv_inference_compute_output_duration_us"), "out: {{model}}"),
            ),
        ),
    ),
)

_ENSEMBLES_ROW = Row(
    "Ensembles",
    (
        Panel(
            "Time in Triton, a request",
            "From an ensemble's request to its response, all steps.",
            Unit.SECONDS,
            (Query(_mean_seconds("nv_inference_request_duration_us", _ENSEMBLES), "{{model}}"),),
            limit=0.5,
        ),
        Panel(
            "Encoder batches, as classifications met them",
            "Items in the batch that a classification was part of, nine of ten at most.",
            Unit.COUNT,
            (
                Query(
                    "histogram_quantile(0.9, sum by (le, encoder) "
                    f"(rate(diptych_gateway_encoder_batch_size_bucket{{{_NS}}}{_RATE})))",
                    "{{encoder}}",
                ),
            ),
        ),
    ),
)

_MACHINE = Row(
    "Machine",
    (
        Panel(
            "CPU",
            "Of the machine that Triton sees, not of its container alone.",
            Unit.RATIO,
            (Query(f"max by (instance) (nv_cpu_utilization{{{_NS}}})", "{{instance}}"),),
        ),
        Panel(
            "GPU",
            "Utilisation and memory in use.",
            Unit.RATIO,
            (
                Query(f"max by (gpu_uuid) (nv_gpu_utilization{{{_NS}}})", "busy {{gpu_uuid}}"),
                Query(
                    f"max by (gpu_uuid) (nv_gpu_memory_used_bytes{{{_NS}}} / "
                    f"nv_gpu_memory_total_bytes{{{_NS}}})",
                    "memory {{gpu_uuid}}",
                ),
            ),
            empty_because="no Triton has a GPU",
        ),
        Panel(
            "Memory",
            "Of the machine that Triton sees.",
            Unit.BYTES,
            (Query(f"max by (instance) (nv_cpu_memory_used_bytes{{{_NS}}})", "{{instance}}"),),
        ),
        Panel(
            "Shared memory that is free",
            "In /dev/shm, where the python backend's regions grow and never shrink.",
            Unit.RATIO,
            (
                Query(
                    f"min by (instance) (node_filesystem_avail_bytes{{{_SHM}}} / "
                    f"node_filesystem_size_bytes{{{_SHM}}})",
                    "{{instance}}",
                ),
            ),
        ),
    ),
)

TRITON_STEPS: Final = Board(
    "triton-steps", "Diptych: Triton by step", __doc__ or "", (_STEPS_ROW, _ENSEMBLES_ROW, _MACHINE)
)
