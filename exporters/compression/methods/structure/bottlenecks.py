"""Where an encoder can be made narrower: units that one layer reads and nobody else.

Attention heads, neurons of a feed-forward net and inner channels of an inverted residual have one
form: some layers produce units, one linear layer consumes them, and no residual passes by. Families
name the layers differently; each name below is one line of data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Bottleneck:
    """Units between some layers.

    Attributes:
        kind: `attention heads`, `neurons` or `channels`.
        producers: layers whose outputs are the units.
        consumer: the layer that reads them: linear, or a convolution of one by one.
        width: values of one unit; more than one for a head.
        holder: the module that knows how many heads there are; None elsewhere.
        response_norm: what scales each unit by its share of all units' responses, as in ConvNeXt-V2
            (Woo et al. 2023, "ConvNeXt V2", global response normalisation); None elsewhere.
    """

    kind: str
    producers: tuple[nn.Module, ...]
    consumer: nn.Linear | nn.Conv2d
    width: int = 1
    holder: nn.Module | None = None
    response_norm: nn.Module | None = None

    @property
    def units(self) -> int:
        """How many there are."""
        return int(self.consumer.weight.shape[1]) // self.width


# Of BERT and its like; of the MLPs of vision and dual towers; of DistilBERT; of ConvNeXt.
_NEURONS: Final[tuple[tuple[str, ...], ...]] = (
    ("intermediate.dense", "output.dense"),
    ("fc1", "fc2"),
    ("lin1", "lin2"),
    ("pwconv1", "pwconv2"),
)
_GRN: Final = "grn"  # beside them in ConvNeXt-V2, of transformers and of timm
# Query, key, value, output, and the module that counts the heads, relative to the attention.
_HEADS: Final[tuple[tuple[str, ...], ...]] = (
    ("self.query", "self.key", "self.value", "output.dense", "self"),
    ("q_proj", "k_proj", "v_proj", "o_proj", ""),
    ("q_proj", "k_proj", "v_proj", "out_proj", ""),
    ("q_lin", "k_lin", "v_lin", "out_lin", ""),
)
# Inverted residuals of EfficientNet-Lite; bottlenecks of ResNet.
_CHANNELS: Final[tuple[tuple[str, ...], ...]] = (
    ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv"),
    ("layer.1.convolution", "layer.1.normalization", "layer.2.convolution"),
)
_HEAD_SIZES: Final = ("attention_head_size", "head_dim")


def find_bottlenecks(module: nn.Module) -> tuple[Bottleneck, ...]:
    """Finds all places where units can go, in the module's order."""
    return tuple(found for part in module.modules() for found in _of(part))


def _of(part: nn.Module) -> Iterator[Bottleneck]:
    for names in _NEURONS:
        layers = _layers(part, names)
        if layers and all(isinstance(layer, nn.Linear) for layer in layers):
            place = replace(_bottleneck("neurons", layers), response_norm=getattr(part, _GRN, None))
            if not _is_read_elsewhere(part, place):
                yield place
    for names in _CHANNELS:
        layers = _layers(part, names)
        # Squeeze and excitation would read the channels too.
        if layers and not getattr(part, "has_se", False) and _is_pointwise(layers[-1]):
            yield _bottleneck("channels", layers)
    for *projections, holder_name in _HEADS:
        layers = _layers(part, projections)
        if layers:
            holder = part.get_submodule(holder_name)
            width = next((getattr(holder, each, 0) for each in _HEAD_SIZES), 0)
            if width:
                yield _bottleneck("attention heads", layers, width, holder)


def _is_read_elsewhere(part: nn.Module, place: Bottleneck) -> bool:
    """Whether a norm that is not known stands among the layers, as wide as the units are many."""
    known = {*place.producers, place.consumer, place.response_norm}
    return any(
        value.shape[-1:] == (place.units,)
        for child in part.children()
        if child not in known
        for value in child.parameters(recurse=False)
    )


def _bottleneck(
    kind: str, layers: list[nn.Module], width: int = 1, holder: nn.Module | None = None
) -> Bottleneck:
    *producers, consumer = layers
    assert isinstance(consumer, nn.Linear | nn.Conv2d)  # noqa: S101  # the tables name no other
    return Bottleneck(kind, tuple(producers), consumer, width, holder)


def _layers(part: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """The layers of these names, or nothing when one of them is not there."""
    try:
        return [part.get_submodule(name) for name in names]
    except AttributeError:
        return []


def _is_pointwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1
