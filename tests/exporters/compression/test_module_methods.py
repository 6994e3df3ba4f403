"""Methods that change the torch module: tensors become smaller, and training leads them back."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from exporters.compression import parse_steps
from exporters.compression.errors import InvalidStepError
from exporters.compression.method import ModuleMethod
from exporters.compression.methods import METHODS
from exporters.compression.methods.structure.bottlenecks import find_bottlenecks
from exporters.compression.methods.structure.narrowing import narrow
from exporters.compression.recovery import Lesson, recover
from exporters.compression.used_layers import used_layers
from exporters.encoders.efficientnet_lite import PooledEfficientNet

if TYPE_CHECKING:
    from exporters.compression.encoder_side import EncoderSide
    from exporters.compression.method import Notes


def changed(side: EncoderSide, text: str) -> tuple[nn.Module, Notes]:
    [step] = parse_steps([text])
    module = copy.deepcopy(side.module)
    torch.manual_seed(0)
    method = METHODS[step.method]
    assert isinstance(method, ModuleMethod)
    return module, method.change(module, side, step.values)


def weights(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def error(module: nn.Module, side: EncoderSide) -> float:
    rows = side.calibration_rows(32)
    with torch.inference_mode():
        features = module(*side.tensors(rows))
    return float((features - side.features[rows]).norm() / side.features[rows].norm())


@pytest.mark.parametrize(
    "text", ["low-rank:energy=0.6,epochs=0", "prune-structure:epochs=0", "distil:keep=0.5,epochs=1"]
)
def test_module_method_leaves_fewer_weights_and_the_same_shape(
    text_side: EncoderSide, image_side: EncoderSide, text: str
) -> None:
    for side in (text_side, image_side):
        module, notes = changed(side, text)

        assert weights(module) < weights(side.module)
        assert notes.figures["weights_left_ratio"] < 1
        with torch.inference_mode():
            assert module(*side.tensors([0, 1])).shape == (2, side.features.shape[1])


def test_prune_structure_that_keeps_all_changes_nothing(text_side: EncoderSide) -> None:
    module, _ = changed(text_side, "prune-structure:keep=1,epochs=0")

    # Least squares with every input there is the layer itself, up to its damping.
    assert error(module, text_side) < 0.01


def test_prune_structure_takes_heads_and_neurons_at_its_ratio(text_side: EncoderSide) -> None:
    module, _ = changed(text_side, "prune-structure:keep=0.5,epochs=0")

    by_kind = {place.kind: place.units for place in find_bottlenecks(module)}
    assert by_kind == {"attention heads": 1, "neurons": 32}


def test_units_that_go_are_those_that_matter_least(text_side: EncoderSide) -> None:
    module = copy.deepcopy(text_side.module)
    place = next(each for each in find_bottlenecks(module) if each.kind == "neurons")
    with torch.no_grad():
        place.consumer.weight[:, 5:] *= 1e-3
    survivors = place.consumer.weight[:, :5].clone()

    narrow(module, text_side, 5 / 64)

    # What went was next to nothing, so least squares had next to nothing to make up for.
    torch.testing.assert_close(place.consumer.weight, survivors, rtol=0.05, atol=0.02)


def test_recovery_brings_features_nearer_to_the_original(text_side: EncoderSide) -> None:
    module = copy.deepcopy(text_side.module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    noisy = error(module, text_side)

    recovery = recover(module, text_side, Lesson(epochs=4))

    assert error(module, text_side) < noisy
    assert recovery.error_after < recovery.error_before


def test_prune_weights_keeps_its_zeros_through_the_recovery(text_side: EncoderSide) -> None:
    module, notes = changed(text_side, "prune-weights:keep=0.5,epochs=1")

    linear = used_layers(module, text_side, (nn.Linear,)).values()
    zeros = sum(int((layer.weight == 0).sum()) for layer in linear)
    assert zeros / sum(layer.weight.numel() for layer in linear) == pytest.approx(0.5, abs=0.01)
    assert notes.figures["zero_ratio"] == pytest.approx(0.5, abs=0.01)


def test_low_rank_that_would_make_nothing_smaller_is_refused(text_side: EncoderSide) -> None:
    with pytest.raises(InvalidStepError, match="none of the text encoder's"):
        changed(text_side, "low-rank:energy=1,epochs=0")


def test_distil_that_would_remove_no_layer_is_refused(text_side: EncoderSide) -> None:
    with pytest.raises(InvalidStepError, match="removes none"):
        changed(text_side, "distil:keep=0.9")


def test_channels_of_an_inverted_residual_go_from_all_its_layers() -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="needs the demo's packages")
    network = PooledEfficientNet(package.EfficientNet.from_name("efficientnet-lite0"))

    places = find_bottlenecks(network)

    assert {place.kind for place in places} == {"channels"}
    assert len(places) == 15  # of 16 blocks; the first does not expand


def test_distillation_keeps_what_the_lesson_as_a_whole_gained(text_side: EncoderSide) -> None:
    module = copy.deepcopy(text_side.module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    started = {name: value.clone() for name, value in module.state_dict().items()}

    recover(module, text_side, Lesson(epochs=2, temperature=2.0, label_weight=0.5))

    changed = [
        name for name, value in module.state_dict().items() if not value.equal(started[name])
    ]
    assert changed  # the answers are nearer even where single features are not


def test_layer_that_no_feature_passes_is_left_alone(text_side: EncoderSide) -> None:
    used = used_layers(text_side.module, text_side, (nn.Linear,))

    everything = {
        name for name, each in text_side.module.named_modules() if isinstance(each, nn.Linear)
    }
    assert everything - set(used) == {"network.pooler.dense"}  # features are the tokens' mean
