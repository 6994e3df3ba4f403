"""In which precision the layers of an engine compute: read from the engine, or from its network.

A flag says what was asked for, an engine what was built. Where there is no GPU to load an engine
on, the strongly typed network is read: its types bind the builder, but fusions are not in it yet.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PRODUCTS: Final = "products"
OTHERS: Final = "others"

# What inspector and network call the types of which layers compute; integers are shapes and ids.
_TYPES: Final = {
    "FLOAT": "fp32",
    "FP32": "fp32",
    "HALF": "fp16",
    "FP16": "fp16",
    "BF16": "bf16",
    "BFLOAT16": "bf16",
    "INT8": "int8",
    "FP8": "fp8",
}
_TYPE_WORD: Final = re.compile(rf"\b({'|'.join(_TYPES)})\b", re.IGNORECASE)
_PRODUCT_WORDS: Final = ("conv", "gemm", "matmul", "matrix", "mha", "attention")


@dataclass(frozen=True)
class LayerPrecision:
    """One layer that computes with numbers, not with shapes or ids.

    Attributes:
        name: the layer's.
        kind: PRODUCTS for convolutions and matrix products, where the time goes; else OTHERS.
        precision: `fp32`, `fp16`, `int8`, … of its first such input.
    """

    name: str
    kind: str
    precision: str


def counts(layers: tuple[LayerPrecision, ...]) -> dict[str, dict[str, int]]:
    """Number of layers by kind and precision."""
    found: dict[str, dict[str, int]] = {PRODUCTS: {}, OTHERS: {}}
    for layer in layers:
        by_precision = found[layer.kind]
        by_precision[layer.precision] = by_precision.get(layer.precision, 0) + 1
    return found


def engine_precisions(information: str) -> tuple[LayerPrecision, ...]:
    """Reads what the engine inspector says, as JSON, of an engine built with detailed profiling."""
    layers = json.loads(information)["Layers"]
    return tuple(_named(layer) for layer in layers if isinstance(layer, dict) and _type(layer))


def network_precisions(network: Any, module: Any) -> tuple[LayerPrecision, ...]:  # noqa: ANN401
    """Reads the types of a strongly typed network, before it is built.

    A product of dequantised numbers counts as int8: that is how a Q/DQ graph says so.

    Args:
        network: the parsed network.
        module: the builder library.
    """
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    dequantised = {
        layer.get_output(0).name for layer in layers if layer.type == module.LayerType.DEQUANTIZE
    }
    products = {module.LayerType.CONVOLUTION, module.LayerType.MATRIX_MULTIPLY}
    return tuple(_network_layers(layers, dequantised, products))


def _network_layers(
    layers: list[Any], dequantised: set[str], products: set[Any]
) -> Iterator[LayerPrecision]:
    for layer in layers:
        if layer.num_inputs == 0:
            continue  # a constant
        first = layer.get_input(0)
        is_product = layer.type in products
        precision = _TYPES.get(first.dtype.name) if first is not None else None
        if is_product and first.name in dequantised:
            precision = "int8"
        if precision is not None:
            yield LayerPrecision(layer.name, PRODUCTS if is_product else OTHERS, precision)


def _named(layer: dict[str, Any]) -> LayerPrecision:
    words = f"{layer.get('LayerType', '')} {layer.get('TacticName', '')}".lower()
    is_product = any(word in words for word in _PRODUCT_WORDS)
    return LayerPrecision(layer["Name"], PRODUCTS if is_product else OTHERS, _type(layer))


def _type(layer: dict[str, Any]) -> str:
    """The first type of a layer's inputs that is one of numbers; empty when none is."""
    for tensor in layer.get("Inputs", ()):
        if match := _TYPE_WORD.search(str(tensor.get("Format/Datatype", ""))):
            return _TYPES[match[1].upper()]
    return ""
