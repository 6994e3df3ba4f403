"""What the engine inspector says, which only a GPU makes it say: its format, as documented."""

from __future__ import annotations

import json
from typing import Any

from exporters.conversion.tensorrt.precisions import counts, engine_precisions


def layer(name: str, kind: str, *types: str, tactic: str = "") -> dict[str, Any]:
    inputs = [{"Name": f"{name}-{each}", "Format/Datatype": each} for each in types]
    return {"Name": name, "LayerType": kind, "Inputs": inputs, "TacticName": tactic}


def test_engine_precisions_are_those_of_what_layers_read_not_of_shapes() -> None:
    layers = [
        layer(
            "conv", "CaskConvolution", "Thirty-two wide channel vectorized row major Int8 format"
        ),
        layer("gemm", "gemm", "Row major linear FP16 format"),
        layer("fused", "kgen", "Half", tactic="__myl_MatMul_0x1"),
        layer("norm", "kgen", "Int64", "Float"),
        layer("gather", "Gather", "Int64", "Int32"),
        layer("constant", "Constant"),
    ]

    found = engine_precisions(json.dumps({"Layers": layers, "Bindings": []}))

    assert counts(found) == {"products": {"int8": 1, "fp16": 2}, "others": {"fp32": 1}}


def test_engine_precisions_of_names_alone_are_none() -> None:
    assert engine_precisions(json.dumps({"Layers": ["conv", "gemm"]})) == ()
