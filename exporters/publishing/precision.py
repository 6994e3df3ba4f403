"""The encoders' graphs of a variant in the precision that a target asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx

from exporters.conversion.errors import GraphSignatureError
from exporters.conversion.half_precision import write_half_precision
from exporters.publishing.errors import QuantisedGraphsError
from exporters.repository.native_target import Precision

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.publishing.stage import Graphs
    from exporters.training import TrainedVariant

QUANTISED_TEXT: Final = "text.onnx"
QUANTISED_IMAGE: Final = "image.onnx"


def in_precision(
    variant: TrainedVariant, graphs: Graphs, precision: Precision, quantised: Path | None
) -> Graphs:
    """Returns the graphs with encoders of another precision; heads stay fp32.

    Args:
        variant: whose graphs they are.
        graphs: in fp32.
        precision: of the encoders.
        quantised: for int8, a folder with Q/DQ graphs `text.onnx` and `image.onnx`.

    Raises:
        QuantisedGraphsError: int8 was asked for, and the folder does not hold both.
        ConversionError: a graph is not the one that it stands for.
    """
    if precision is Precision.FP32:
        return graphs
    if precision is Precision.FP16:
        return _in_half_precision(variant, graphs)
    return _quantised(graphs, quantised)


def require_quantised(folder: Path | None) -> tuple[Path, Path]:
    """Returns the Q/DQ graphs of text and image encoder in a folder.

    Raises:
        QuantisedGraphsError: no folder was named, or it does not hold both.
    """
    if folder is None:
        raise QuantisedGraphsError(None, (QUANTISED_TEXT, QUANTISED_IMAGE))
    text, image = folder / QUANTISED_TEXT, folder / QUANTISED_IMAGE
    if missing := tuple(path.name for path in (text, image) if not path.is_file()):
        raise QuantisedGraphsError(folder, missing)
    return text, image


def _in_half_precision(variant: TrainedVariant, graphs: Graphs) -> Graphs:
    """Writes fp16 graphs beside the others, each compared on its own kind of input."""
    text_graph, image_graph = (
        graph.with_stem(f"{graph.stem}-fp16") for graph in (graphs.text, graphs.image)
    )
    ids, mask = variant.text_encoder.tokenizer.encode_batch(
        ["a short text", "a longer text, so that the mask of the short one hides something " * 3]
    )
    write_half_precision(graphs.text, text_graph, {"input_ids": ids, "attention_mask": mask})
    size = variant.image_encoder.preprocessing
    noise = np.random.default_rng(0).integers(0, 256, (2, size.height, size.width, 3), np.uint8)
    write_half_precision(graphs.image, image_graph, {"pixels": noise})
    return replace(graphs, text=text_graph, image=image_graph)


def _quantised(graphs: Graphs, folder: Path | None) -> Graphs:
    text, image = require_quantised(folder)
    for quantised, original in ((text, graphs.text), (image, graphs.image)):
        actual, expected = _signature(quantised), _signature(original)
        if actual != expected:
            raise GraphSignatureError(str(quantised), expected, actual)
    return replace(graphs, text=text, image=image)


def _signature(graph: Path) -> str:
    """Names and types of a graph's inputs and outputs; axes that vary may be named as they like."""
    content = onnx.load(graph, load_external_data=False).graph
    return ", ".join(
        f"{value.name} {onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)}"
        for value in (*content.input, *content.output)
    )
