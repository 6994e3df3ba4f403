"""Removes the units that matter least, and lets the others take over what they can.

He et al. 2017, "Channel Pruning for Accelerating Very Deep Neural Networks": after some inputs of a
linear layer are gone, its weights are fitted by least squares to what it gave before, on some
training examples. That costs one pass and spares most of the training.

A norm that divides by the mean response of all units would answer louder without the weak ones:
its weight takes the ratio of both means.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from exporters.compression.errors import InvalidStepError
from exporters.compression.methods.structure.bottlenecks import find_bottlenecks
from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from exporters.compression.encoder_side import EncoderSide
    from exporters.compression.methods.structure.bottlenecks import Bottleneck

_EXAMPLES: Final = 64
_SMALLEST_RESPONSE: Final = 1e-12
_DAMPING: Final = 1e-5
"""Of the mean variance of the inputs: keeps the least squares from following noise."""


@dataclass(frozen=True)
class Narrowed:
    """How many units stayed of how many, in all and by kind."""

    kept: int
    units: int
    by_kind: Mapping[str, tuple[int, int]]

    def __str__(self) -> str:
        parts = (f"{kept} of {units} {kind}" for kind, (kept, units) in self.by_kind.items())
        return ", ".join(parts) + " stay"


def narrow(module: nn.Module, side: EncoderSide, keep: float) -> Narrowed:
    """Makes an encoder narrower in place.

    Args:
        module: the encoder.
        side: gives training examples.
        keep: share of the units of each place that stay; at least one does.

    Raises:
        InvalidStepError: nothing in this family is known to be removable.
    """
    places = find_bottlenecks(module)
    if not places:
        raise InvalidStepError(
            "prune-structure",
            f"in the {side.side} encoder's family no units are known that can go",
            "Name the other encoder with @text or @image, or use another method.",
        )
    moments, responses = _watch_units(module, places, side)
    kept, units = Counter[str](), Counter[str]()
    for place, moment, response in zip(places, moments, responses, strict=True):
        staying = _most_important(place, moment, keep)
        _cut(place, moment, staying)
        if place.response_norm is not None:
            _cut_response_norm(place.response_norm, response, staying)
        kept[place.kind] += len(staying)
        units[place.kind] += len(moment) // place.width
    by_kind = {kind: (kept[kind], units[kind]) for kind in units}
    return Narrowed(kept.total(), units.total(), by_kind)


def _watch_units(
    module: nn.Module, places: Sequence[Bottleneck], side: EncoderSide
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs training examples through an encoder.

    Returns:
        Of each place the sum of products of its consumer's inputs, float64 (inputs, inputs); and
        what share of the mean response each unit has before a response norm, the mean over the
        examples, float64 (units,).
    """
    moments: list[Tensor] = [torch.zeros(()) for _ in places]
    responses: list[Tensor] = [torch.zeros(()) for _ in places]
    rows = side.calibration_rows(_EXAMPLES)

    def watch(index: int) -> Any:  # noqa: ANN401  # torch's own hook type is private
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            values = inputs[0]
            if isinstance(layer, nn.Conv2d):
                values = values.permute(0, 2, 3, 1)  # (batch, rows, columns, channels)
            values = values.reshape(-1, values.shape[-1]).double()  # (positions, inputs)
            moments[index] = moments[index] + values.T @ values

        return hook

    def watch_responses(index: int) -> Any:  # noqa: ANN401
        def hook(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            values = inputs[0].double()  # (1, rows, columns, units)
            response = torch.linalg.vector_norm(values, dim=(0, 1, 2))
            share = response / response.mean().clamp_min(_SMALLEST_RESPONSE)
            responses[index] = responses[index] + share / len(rows)

        return hook

    hooks = []
    for index, place in enumerate(places):
        hooks.append(place.consumer.register_forward_pre_hook(watch(index)))
        if place.response_norm is not None:
            hooks.append(place.response_norm.register_forward_pre_hook(watch_responses(index)))
    try:
        with torch.no_grad(), progress(f"Units of the {side.side} encoder", len(rows)) as advance:
            for row in rows:
                module(*side.tensors([row]))
                advance()
    finally:
        for hook in hooks:
            hook.remove()
    return moments, responses


def _most_important(place: Bottleneck, moment: Tensor, keep: float) -> list[int]:
    """Units that contribute most to the consumer's output, in their order."""
    weight = place.consumer.weight.detach().flatten(1).double()  # (out, inputs)
    contributions = weight.square().sum(dim=0) * moment.diagonal()
    by_unit = contributions.view(-1, place.width).sum(dim=1)  # (units,)
    count = max(1, round(len(by_unit) * keep))
    return sorted(by_unit.topk(count).indices.tolist())


def _cut(place: Bottleneck, moment: Tensor, staying: Sequence[int]) -> None:
    inputs = torch.tensor(
        [unit * place.width + offset for unit in staying for offset in range(place.width)]
    )
    consumer = place.consumer
    weight = consumer.weight.detach().flatten(1).double()
    gram = moment[inputs][:, inputs]
    damping = _DAMPING * gram.diagonal().mean() * torch.eye(len(inputs), dtype=torch.float64)
    # Weights on the inputs that stay which give what all inputs gave: W M[:, K] M[K, K]^-1.
    fitted = torch.linalg.solve(gram + damping, (weight @ moment[:, inputs]).T).T
    tail = consumer.weight.shape[2:]  # (1, 1) of a convolution
    consumer.weight = nn.Parameter(fitted.float().reshape(len(weight), -1, *tail).contiguous())
    if isinstance(consumer, nn.Linear):
        consumer.in_features = len(inputs)
    else:
        consumer.in_channels = len(inputs)
    for producer in place.producers:
        _keep_outputs(producer, inputs)
    for name in ("num_attention_heads", "num_heads", "n_heads"):
        if place.holder is not None and hasattr(place.holder, name):
            setattr(place.holder, name, len(staying))
    for name in ("all_head_size", "embed_dim", "dim"):
        if place.holder is not None and hasattr(place.holder, name):
            setattr(place.holder, name, len(inputs))


def _cut_response_norm(norm: nn.Module, response: Tensor, staying: Sequence[int]) -> None:
    """Leaves a norm with some of its units, in place; their answers keep their size."""
    units = torch.tensor(staying)
    for name in ("weight", "bias"):
        value = getattr(norm, name).detach()[..., units].clone()  # units are the last axis
        setattr(norm, name, nn.Parameter(value))
    with torch.no_grad():
        norm.get_parameter("weight").mul_(float(response[units].mean()))


def _keep_outputs(layer: nn.Module, outputs: Tensor) -> None:
    """Leaves a layer with some of its outputs, in place."""
    for name in ("weight", "bias"):
        value = getattr(layer, name, None)
        if value is not None:
            setattr(layer, name, nn.Parameter(value.detach()[outputs].clone()))
    for name in ("running_mean", "running_var"):
        value = getattr(layer, name, None)
        if value is not None:
            setattr(layer, name, value[outputs].clone())
    count = len(outputs)
    if isinstance(layer, nn.Linear):
        layer.out_features = count
    elif isinstance(layer, nn.BatchNorm2d):
        layer.num_features = count
    elif isinstance(layer, nn.Conv2d):
        layer.out_channels = count
        if layer.groups > 1:  # depthwise: a channel reads its own input alone
            layer.groups = layer.in_channels = count
