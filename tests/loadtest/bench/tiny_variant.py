"""A published variant with graphs of a few nodes, as the exporters lay one out."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import onnx
from google.protobuf import text_format
from onnx import TensorProto, helper
from tritonclient.grpc import model_config_pb2

from exporters.preprocessing.images import ImagePreprocessing
from tests.loadtest.bench.tokenisers import word_tokeniser

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("short", "long")
DIGEST = "ab" * 32
ENSEMBLE = f"tiny-{DIGEST[:12]}-both"


def publish(repository: Path, steps: tuple[str, ...] = ("image", "text", "head")) -> None:
    """Writes an ensemble `both` and those of its models that are named.

    The label is `long` when the attention mask has more than 20 ones.
    """
    preprocessing = ImagePreprocessing(8, 8, None, "bilinear", "scaled", 25_000_000)
    _step(
        repository,
        "image",
        {"step": "image_encoder", "preprocessing": asdict(preprocessing)},
        _image_graph(),
    )
    _step(
        repository,
        "text",
        {"step": "text_encoder", "tokenizer": "tokenizer.json", "max_tokens": 64, "pad_id": 0},
        _text_graph(),
    )
    word_tokeniser(repository / "tiny-text" / "1")
    _step(repository, "head", {"step": "fusion_head"}, _head_graph())
    config = model_config_pb2.ModelConfig(name=ENSEMBLE, platform="ensemble", max_batch_size=4)
    for step in steps:
        config.ensemble_scheduling.step.add(model_name=f"tiny-{step}", model_version=-1)
    config.parameters["diptych_manifest"].string_value = json.dumps(_manifest())
    _write(repository / ENSEMBLE, config)


def _step(repository: Path, name: str, settings: dict[str, Any], graph: onnx.GraphProto) -> None:
    config = model_config_pb2.ModelConfig(name=f"tiny-{name}", backend="python", max_batch_size=4)
    config.parameters["settings"].string_value = json.dumps({**settings, "graph": "model.onnx"})
    folder = repository / f"tiny-{name}"
    _write(folder, config)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "1" / "model.onnx")


def _write(folder: Path, config: model_config_pb2.ModelConfig) -> None:
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))


def _image_graph() -> onnx.GraphProto:
    """The mean of all pixels."""
    return helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["means", "axis"], ["features"]),
        ],
        "image",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", 8, 8, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )


def _text_graph() -> onnx.GraphProto:
    """How many tokens are no padding."""
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    )
    return helper.make_graph(
        [
            # Adds ids times zero: a graph must use all its inputs.
            helper.make_node("Mul", ["input_ids", "zero"], ["nothing"]),
            helper.make_node("Add", ["attention_mask", "nothing"], ["ones"]),
            helper.make_node("Cast", ["ones"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["floats", "axis"], ["features"], keepdims=1),
        ],
        "text",
        [ids, mask],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 1])],
        [
            helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )


def _head_graph() -> onnx.GraphProto:
    """Logits 20 and the number of tokens; the image adds nothing."""
    text, image = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1])
        for name in ("text_features", "image_features")
    )
    return helper.make_graph(
        [
            helper.make_node("Mul", ["text_features", "zero"], ["no_text"]),
            helper.make_node("Mul", ["image_features", "zero"], ["no_image"]),
            helper.make_node("Sum", ["no_text", "no_image", "twenty"], ["bound"]),
            helper.make_node("Concat", ["bound", "text_features"], ["logits"], axis=1),
        ],
        "head",
        [text, image],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("twenty", TensorProto.FLOAT, [1], [20.0]),
        ],
    )


def _manifest() -> dict[str, Any]:
    quality = {
        "examples": 9, "accuracy": 1.0, "macro_f1": 1.0, "expected_calibration_error": 0.0
    }  # fmt: skip
    parity = {
        "has_passed": True, "samples": 64, "max_abs_difference": 0.0, "label_flips": 0,
        "tolerance": 1e-3, "precision": "fp32", "device": "cpu",
    }  # fmt: skip
    provenance = {
        "recipe": "tiny", "recipe_digest": DIGEST, "data_digest": DIGEST, "text_encoder": "t",
        "image_encoder": "i", "head": "h", "seed": 0, "created_at": "2026-01-01T00:00:00Z",
        "versions": {},
    }  # fmt: skip
    return {
        "variant": "tiny", "digest": DIGEST, "modalities": "both", "labels": LABELS,
        "temperature": 1.0, "quality": quality, "parity": parity, "expected_device": "cpu",
        "limits": {"max_image_pixels": 25_000_000, "max_text_tokens": 64},
        "provenance": provenance,
    }  # fmt: skip
