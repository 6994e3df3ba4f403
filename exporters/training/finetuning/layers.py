"""Which parameters of an encoder are in its last N layers, whatever family it is of.

An encoder is a stack: what reads the input (embeddings, patches, a stem), a list of layers, what
follows it (a norm, a last convolution, a projection). transformers' networks keep the list in an
`nn.ModuleList`, timm's, which have none, in an `nn.Sequential`; the outermost one with the most
parameters is taken. What follows the list belongs to the last layer, what comes before it is
unfrozen with `all` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from torch import nn

from exporters.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Iterator

_List = nn.ModuleList | nn.Sequential

_BATCH_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass(frozen=True)
class Unfrozen:
    """The part of an encoder that is trained.

    Attributes:
        parameters: by name in the encoder's module.
        depths: of each parameter; 0 is the last layer, one more for each layer below it.
        modules: the modules that they are in, which run in training mode.
    """

    parameters: dict[str, nn.Parameter]
    depths: dict[str, int]
    modules: tuple[nn.Module, ...]

    def set_training(self, module: nn.Module) -> None:
        """Puts the unfrozen layers into training mode and all else into evaluation mode.

        Batch norms stay in evaluation mode: their means and variances are those of the pretraining
        data, and a small batch would replace them with noise that the served graph carries on.
        """
        module.eval()
        for each in self.modules:
            each.train()
            for inner in each.modules():
                if isinstance(inner, _BATCH_NORMS):
                    inner.eval()


def unfreeze(name: str, module: nn.Module, layers: int | Literal["all"]) -> Unfrozen:
    """Lets gradients reach the last layers of an encoder; all else stays frozen.

    Args:
        name: of the encoder, for errors.
        module: the encoder's module, frozen.
        layers: how many; `all` takes embeddings and stem too.

    Raises:
        EncoderError: it has fewer layers, or no list of layers can be found in it.
    """
    stack_name, stack = _stack(name, module)
    if layers != "all" and layers > len(stack):
        raise EncoderError(
            name, f"{layers} layers are to be fine-tuned, and it has {len(stack)}; `all` takes all"
        )
    wanted = len(stack) if layers == "all" else layers
    depth_of = _depths(module, stack_name, stack)
    highest = len(stack) if layers == "all" else wanted - 1  # the depth of embeddings is len(stack)
    depths = {key: depth for key, depth in depth_of.items() if depth <= highest}
    parameters = {key: value for key, value in module.named_parameters() if key in depths}
    for value in parameters.values():
        value.requires_grad_(True)
    modules = (module,) if layers == "all" else tuple(stack.children())[len(stack) - wanted :]
    return Unfrozen(parameters, depths, modules)


def _stack(name: str, module: nn.Module) -> tuple[str, _List]:
    lists = dict(_outermost_lists(module, nn.ModuleList))
    lists = lists or dict(_outermost_lists(module, nn.Sequential))
    if not lists:
        raise EncoderError(name, "no list of layers was found in its network to fine-tune")
    largest = max(lists, key=lambda key: sum(each.numel() for each in lists[key].parameters()))
    return largest, lists[largest]


def _outermost_lists(
    module: nn.Module, kind: type[_List], prefix: str = ""
) -> Iterator[tuple[str, _List]]:
    for key, child in module.named_children():
        if isinstance(child, kind):
            yield f"{prefix}{key}", child
        else:
            yield from _outermost_lists(child, kind, f"{prefix}{key}.")


def _depths(module: nn.Module, stack_name: str, stack: _List) -> dict[str, int]:
    """Depth of every parameter: modules are registered in the order in which they are applied.

    But for embeddings of relative positions, and the norm beside them: transformers registers them
    after the layers, and every layer reads them.
    """
    names = [name for name, _ in module.named_parameters()]
    is_of_stack = [name.startswith(f"{stack_name}.") for name in names]
    after_stack = names[len(names) - is_of_stack[::-1].index(True) :]
    shared = {
        name.rpartition(".")[0] + "."
        for name, each in module.named_modules()
        if isinstance(each, nn.Embedding) and f"{name}.weight" in after_stack
    }
    depths = {}
    for name in names:
        if name.startswith(f"{stack_name}."):
            position = int(name.removeprefix(f"{stack_name}.").partition(".")[0])
            depths[name] = len(stack) - 1 - position
        elif name in after_stack and not name.startswith(tuple(shared)):
            depths[name] = 0
        else:
            depths[name] = len(stack)
    return depths
