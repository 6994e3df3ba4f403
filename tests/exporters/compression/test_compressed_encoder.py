"""Each method on small encoders: smaller, near the original, and kept for the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch

from exporters.compression import parse_steps
from exporters.compression.compressed_encoder import prepare_encoder
from exporters.compression.encoder_side import TextSide
from exporters.compression.sessions import GraphSession
from exporters.compression.step import steps_of
from exporters.conversion.tensorrt.engine import build_engine
from exporters.conversion.tensorrt.library import find_rehearsal
from exporters.conversion.tensorrt.precisions import PRODUCTS
from exporters.conversion.tensorrt.profiles import image_profiles, text_profiles

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.compression.compressed_encoder import CompressedEncoder
    from exporters.compression.encoder_side import EncoderSide
    from exporters.workspace import Workspace


def compressed(side: EncoderSide, text: str, workspace: Workspace) -> CompressedEncoder:
    return prepare_encoder(side, steps_of(parse_steps(text.split()), side.side), workspace)


def cosine(encoder: CompressedEncoder, side: EncoderSide) -> float:
    """Of the features of the two that are least alike."""
    return float(torch.cosine_similarity(encoder.features, side.features).min())


def operators(encoder: CompressedEncoder) -> set[str]:
    return {node.op_type for node in onnx.load(encoder.graph).graph.node}


# Eight bits keep features of these encoders within two per cent; a scale or a mask that went wrong
# is off by far more.
@pytest.mark.parametrize("step", ["int8", "fp16"])
def test_graph_method_leaves_features_near_the_original(
    text_side: EncoderSide, image_side: EncoderSide, step: str, workspace: Workspace
) -> None:
    for side in (text_side, image_side):
        encoder = compressed(side, step, workspace)

        assert encoder.precision == step
        assert cosine(encoder, side) > 0.98
        assert not encoder.batch_dependence.is_dependent


def test_symmetric_int8_is_what_tensorrt_builds(
    text_side: EncoderSide, image_side: EncoderSide, workspace: Workspace, tmp_path: Path
) -> None:
    size = image_side.variant.image_encoder.preprocessing
    profiles = (text_profiles((16, 32), 8), image_profiles(size.height, size.width, 8))
    for side, profile in zip((text_side, image_side), profiles, strict=True):
        encoder = compressed(side, "int8-symmetric:sensitivity=0", workspace)

        report = build_engine(encoder.graph, profile, tmp_path / "x.plan", find_rehearsal())

        assert cosine(encoder, side) > 0.98
        # 12 linear layers, of the image also the patches' convolution; products between
        # activations, 2 a layer, stay fp32.
        assert report.layers[PRODUCTS] == {"int8": 12 + (side is image_side), "fp32": 4}


def test_static_int8_quantises_every_layer_and_names_the_most_sensitive(
    text_side: EncoderSide, workspace: Workspace
) -> None:
    encoder = compressed(text_side, "int8", workspace)
    sensitivity = encoder.figures[0]["sensitivity"]

    assert len(sensitivity) == 12  # two layers of query, key, value, output and two of the FFN
    assert "QuantizeLinear" in operators(encoder)
    worst = max(sensitivity, key=sensitivity.__getitem__)
    assert any(worst in sentence for sentence in encoder.notes[0])


def test_static_int8_leaves_out_the_most_sensitive_layers_when_asked(
    text_side: EncoderSide, workspace: Workspace
) -> None:
    whole = compressed(text_side, "int8", workspace)
    part = compressed(text_side, "int8:leave_out=2", workspace)
    sensitivity = part.figures[0]["sensitivity"]

    left_out = part.figures[0]["left_out"]
    assert left_out == sorted(sensitivity, key=sensitivity.__getitem__, reverse=True)[:2]
    assert part.bytes > whole.bytes  # those two keep four bytes a weight
    original = torch.nn.functional.normalize(text_side.features)
    errors = [
        float((torch.nn.functional.normalize(each.features) - original).norm())
        for each in (whole, part)
    ]
    assert errors[1] < errors[0]


def test_dynamic_int8_depends_on_batch_mates_and_static_does_not(
    text_side: EncoderSide, workspace: Workspace
) -> None:
    dynamic = compressed(text_side, "int8-dynamic", workspace)
    static = compressed(text_side, "int8", workspace)

    # Random encoders have activations of one size, so even the dynamic one changes little here.
    company, alone = (each.batch_dependence.largest_difference for each in (dynamic, static))
    assert company > 100 * alone
    assert not static.batch_dependence.is_dependent


def test_encoder_that_was_made_before_is_read_again(
    text_side: EncoderSide, workspace: Workspace
) -> None:
    first = compressed(text_side, "int8", workspace)
    written = first.graph.stat().st_mtime_ns

    again = compressed(text_side, "int8", workspace)

    assert again.graph.stat().st_mtime_ns == written
    assert torch.equal(again.features, first.features)


def test_features_are_those_of_the_graph_run_alone(
    text_side: EncoderSide, workspace: Workspace
) -> None:
    encoder = compressed(text_side, "int8", workspace)
    session = GraphSession(encoder.graph)

    for row in (0, 7):
        alone = session.run(text_side.feeds([row]))[0]
        np.testing.assert_array_equal(alone[0], encoder.features[row].numpy())


def test_interrupted_step_leaves_nothing_behind(
    text_side: EncoderSide, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.root / "compressed-encoders"
    compressed(text_side, "int8", workspace)
    before = sorted(path.name for path in folder.iterdir())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TextSide, "feeds", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compressed(text_side, "int8:samples=9", workspace)

    assert sorted(path.name for path in folder.iterdir()) == before
