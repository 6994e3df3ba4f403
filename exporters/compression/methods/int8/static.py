"""Static int8: weights and activations in eight bits, with scales fixed by calibration.

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference". Scales do not change with the input, so an answer does not
depend on what shares its batch. Weights are signed, with a scale a channel; activations are
unsigned: that is the pair that onnxruntime's x86 kernels take.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from exporters.compression.method import GraphMethod, Notes, Setting
from exporters.compression.methods.int8.embedding_rows import store_rows_in_int8
from exporters.compression.methods.int8.pixel_input import take_pixels_as_they_are
from exporters.compression.methods.int8.quiet_quantiser import quietly
from exporters.compression.methods.int8.sensitivity import measure_sensitivity, most_sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporters.compression.encoder_side import EncoderSide
    from exporters.compression.methods.int8.sensitivity import LayerError

_REPORTED_LAYERS: Final = 3

SETTINGS: Final = {
    "samples": Setting(128, 8, 4096, "calibration examples", is_whole=True),
    "leave_out": Setting(0, 0, 256, "most sensitive layers that stay fp32", is_whole=True),
    "sensitivity": Setting(1, 0, 1, "1: measure each layer's; 0: save the time", is_whole=True),
}
"""What every static int8 takes."""


def _write(source: Path, target: Path, side: EncoderSide, settings: Mapping[str, float]) -> Notes:
    notes = quantise(source, target, side, settings, Scheme(QuantType.QUInt8, _policy))
    is_raw = take_pixels_as_they_are(target)
    tables = store_rows_in_int8(target)
    sentences = list(notes.sentences)
    if is_raw:
        sentences.append("Pixels enter as the bytes they are: normalisation is their scale.")
    if tables:
        sentences.append("Embedding rows are int8 with a scale each.")
    figures = {**notes.figures, "has_raw_pixels": is_raw, "int8_embedding_tables": tables}
    return Notes(tuple(sentences), figures)


@dataclass(frozen=True)
class Scheme:
    """How tensors become eight bits.

    Attributes:
        activations: type of the activations; weights are signed, with a scale a channel.
        policy: of a graph the operators that are quantised (None: all that can be), and further
            options of the quantiser.
    """

    activations: QuantType
    policy: Callable[[onnx.GraphProto], tuple[tuple[str, ...] | None, Mapping[str, Any]]]


def quantise(
    source: Path, target: Path, side: EncoderSide, settings: Mapping[str, float], scheme: Scheme
) -> Notes:
    """Writes a graph in int8, by ranges that some training examples reach.

    Args:
        source: the fp32 graph.
        target: the file to write.
        side: where the examples come from.
        settings: values of `SETTINGS`.
        scheme: which int8.
    """
    rows = side.calibration_rows(int(settings["samples"]))
    with tempfile.TemporaryDirectory(prefix="diptych-int8-") as scratch, quietly():
        graph = CalibratedGraph.prepare(source, side, rows, Path(scratch), scheme)
        is_wanted = settings["sensitivity"] or settings["leave_out"]
        errors = measure_sensitivity(graph, side, rows) if is_wanted else ()
        left_out = most_sensitive(errors, int(settings["leave_out"]))
        graph.write(target, without=left_out)
    return _notes(rows, graph.layers, errors, left_out)


@dataclass(frozen=True)
class CalibratedGraph:
    """An fp32 graph that is ready to be quantised, whole or in part.

    Attributes:
        graph: optimised: constants folded, shapes known.
        layers: names of the nodes with weights, in the graph's order.
        activations: type of the quantised activations.
        op_types: what is quantised; None: all that can be.
        extra: further options of the quantiser.
        ranges: file of the calibrated ranges.
        excluded: nodes of those types that have no weights.
    """

    graph: Path
    layers: tuple[str, ...]
    activations: QuantType
    op_types: tuple[str, ...] | None
    extra: Mapping[str, Any]
    ranges: Path
    excluded: tuple[str, ...]

    @classmethod
    def prepare(
        cls, source: Path, side: EncoderSide, rows: Sequence[int], scratch: Path, scheme: Scheme
    ) -> CalibratedGraph:
        """Optimises a graph and measures the ranges of its tensors on some examples."""
        graph = scratch / "prepared.onnx"
        # Symbolic shapes are not needed, and not to be had for every family.
        quant_pre_process(str(source), str(graph), skip_symbolic_shape=True)
        nodes = onnx.load(graph).graph
        constants = {each.name for each in nodes.initializer}
        op_types, extra = scheme.policy(nodes)
        weighted = [node for node in nodes.node if node.op_type in ("Conv", "MatMul", "Gemm")]
        layers = tuple(node.name for node in weighted if constants & set(node.input))
        excluded = tuple(node.name for node in weighted if not constants & set(node.input))
        ranges = scratch / "ranges.json"
        calibrated = cls(graph, layers, scheme.activations, op_types, extra, ranges, excluded)
        calibrated.write(scratch / "calibrated.onnx", feeds=_Feeds(side, rows))
        return calibrated

    def write(
        self, target: Path, without: Sequence[str] = (), feeds: CalibrationDataReader | None = None
    ) -> None:
        """Writes the quantised graph; the layers `without` stay in fp32."""
        quantize_static(
            str(self.graph),
            str(target),
            feeds,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=self.op_types and list(self.op_types),
            per_channel=True,
            activation_type=self.activations,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*self.excluded, *without],
            extra_options=dict(self.extra),
            calibration_cache_path=self.ranges,
        )


class _Feeds(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Calibration examples, one at a time and so without padding."""

    def __init__(self, side: EncoderSide, rows: Sequence[int]) -> None:
        self._feeds = (side.feeds([row]) for row in rows)

    def get_next(self) -> Any:  # noqa: ANN401
        return next(self._feeds, None)


def _policy(graph: onnx.GraphProto) -> tuple[tuple[str, ...] | None, Mapping[str, Any]]:
    """What is quantised: all that a convolutional net does, of a transformer the products alone.

    Between a transformer's products stand norms, softmax and GELU, which are fp32 in any case:
    the products give fp32 at once, and adding in int8 would cost accuracy for nothing.
    """
    if any(node.op_type in ("Softmax", "LayerNormalization") for node in graph.node):
        types = ("MatMul", "Gemm", "Conv")
        return types, {"OpTypesToExcludeOutputQuantization": list(types)}
    return None, {}


def _notes(
    rows: Sequence[int],
    layers: Sequence[str],
    errors: Sequence[LayerError],
    left_out: Sequence[str],
) -> Notes:
    worst = sorted(errors, key=lambda each: each.error, reverse=True)
    named = "; ".join(f"{each.layer} {each.error:.4f}" for each in worst[:_REPORTED_LAYERS])
    sentences = [
        f"Calibrated on {len(rows)} training examples; {len(layers) - len(left_out)} of "
        f"{len(layers)} layers are int8.",
    ]
    if errors:
        sentences.append(
            f"Most sensitive (error of the feature when that layer alone is int8): {named}."
        )
    if left_out:
        sentences.append(f"Left in fp32: {', '.join(left_out)}.")
    figures = {
        "calibration_examples": len(rows),
        "sensitivity": {each.layer: each.error for each in errors},
        "left_out": list(left_out),
    }
    return Notes(tuple(sentences), figures)


METHOD: Final = GraphMethod(
    name="int8",
    summary="static int8: weights and activations, scales calibrated on training examples",
    settings=SETTINGS,
    precision="int8",
    write=_write,
)
