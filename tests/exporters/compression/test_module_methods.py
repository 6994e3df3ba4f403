"""Methods that change the torch module: tensors become smaller, and training leads them back."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
import torch
from torch import nn
from transformers import ConvNextConfig, ConvNextModel, ConvNextV2Config, ConvNextV2Model
from transformers.models.convnextv2.modeling_convnextv2 import ConvNextV2GRN

from exporters.compression import parse_steps
from exporters.compression.errors import InvalidStepError
from exporters.compression.method import ModuleMethod
from exporters.compression.methods import METHODS
from exporters.compression.methods.structure.bottlenecks import find_bottlenecks
from exporters.compression.methods.structure.narrowing import narrow
from exporters.compression.recovery import Lesson, recover
from exporters.compression.used_layers import used_layers
from exporters.encoders.efficientnet_lite import PooledEfficientNet
from exporters.encoders.families import ImageFamily
from exporters.encoders.towers import Tower
from exporters.encoders.vision_models import PooledVisionModel

if TYPE_CHECKING:
    from exporters.compression.encoder_side import EncoderSide
    from exporters.compression.method import Notes
    from exporters.encoders.encoded import Encoded


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


class Untold(NamedTuple):
    """A side of an encoder that no recipe names."""

    side: str
    inputs: tuple[torch.Tensor, ...]

    def calibration_rows(self, count: int) -> list[int]:
        return list(range(len(self.inputs)))[:count]

    def tensors(self, rows: list[int]) -> tuple[torch.Tensor, ...]:
        return (torch.stack([self.inputs[row] for row in rows]),)


def test_neurons_of_convnext_go_though_its_linear_layers_read_grids() -> None:
    torch.manual_seed(0)
    config = ConvNextConfig(depths=[1, 1, 1, 1], hidden_sizes=[16, 24, 32, 40], image_size=64)
    network = ConvNextModel(config).eval().requires_grad_(requires_grad=False)
    module = PooledVisionModel(
        Tower(network, nn.Identity(), config), ImageFamily(model_type="convnext")
    )

    narrowed = narrow(module, planes_alone(), 0.5)

    assert narrowed.by_kind == {"neurons": (2 * (16 + 24 + 32 + 40), 4 * (16 + 24 + 32 + 40))}
    assert pooled(module, planes_alone()).shape == (24, 40)


@pytest.fixture(scope="module")
def convnext_v2() -> tuple[nn.Module, EncoderSide]:
    """A small ConvNeXt-V2 whose response norms do something, which at the start they do not."""
    torch.manual_seed(0)
    config = ConvNextV2Config(depths=[1, 1, 2, 1], hidden_sizes=[16, 24, 32, 40], image_size=64)
    network = ConvNextV2Model(config).eval().requires_grad_(requires_grad=False)
    for part in network.modules():
        if isinstance(part, ConvNextV2GRN):
            part.weight.normal_(0.0, 0.5)
            part.bias.normal_(0.0, 0.1)
    family = ImageFamily(model_type="convnextv2", pooling="pooler")
    module = PooledVisionModel(Tower(network, nn.Identity(), config), family)
    return module, planes_alone()


def planes_alone() -> EncoderSide:
    noise = torch.Generator().manual_seed(1)
    planes = tuple(torch.randn(3, 64, 64, generator=noise) for _ in range(24))
    return cast("EncoderSide", Untold("image", planes))


def pooled(module: nn.Module, side: EncoderSide) -> torch.Tensor:
    with torch.inference_mode():
        encoded: Encoded = module(*side.tensors(side.calibration_rows(24)))
    return encoded.pooled


def test_neurons_go_from_the_response_norm_of_convnext_v2_too(
    convnext_v2: tuple[nn.Module, EncoderSide],
) -> None:
    original, side = convnext_v2
    module = copy.deepcopy(original)

    narrowed = narrow(module, side, 0.75)

    assert narrowed.by_kind == {"neurons": (3 * 4 * (16 + 24 + 2 * 32 + 40) // 4, 4 * 144)}
    norms = [part for part in module.modules() if isinstance(part, ConvNextV2GRN)]
    assert [norm.weight.shape[-1] for norm in norms] == [48, 72, 96, 96, 120]
    expected = pooled(original, side)
    weights_as_cut = [norm.weight.clone() for norm in norms]

    def error_with_scale(scale: float) -> float:
        with torch.no_grad():
            for norm, weight in zip(norms, weights_as_cut, strict=True):
                norm.weight.copy_(scale * weight)
        return float((pooled(module, side) - expected).norm() / expected.norm())

    # A norm that is cut without the ratio of the means answers too loudly.
    assert error_with_scale(1.0) < min(error_with_scale(0.9), error_with_scale(1.1))


def test_response_norm_that_keeps_all_units_stays_as_it_is(
    convnext_v2: tuple[nn.Module, EncoderSide],
) -> None:
    original, side = convnext_v2
    module = copy.deepcopy(original)

    narrow(module, side, 1.0)

    torch.testing.assert_close(pooled(module, side), pooled(original, side), rtol=0.01, atol=0.01)


def test_units_that_an_unknown_norm_reads_stay(text_side: EncoderSide) -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.norm, self.fc2 = nn.Linear(8, 32), nn.LayerNorm(32), nn.Linear(32, 8)

    with pytest.raises(InvalidStepError, match="no units are known that can go"):
        narrow(nn.Sequential(Normed()), text_side, 0.5)


def test_module_without_layers_of_a_kind_has_none_of_it(image_side: EncoderSide) -> None:
    module = copy.deepcopy(image_side.module).requires_grad_(requires_grad=False)

    assert used_layers(module, image_side, (nn.Bilinear,)) == {}

    module.classifier = nn.Bilinear(2, 2, 2).requires_grad_(requires_grad=False)
    assert used_layers(module, image_side, (nn.Bilinear,)) == {}
