"""Image encoders of timm, from its Hub layout: `config.json` and `model.safetensors`.

timm's networks have one interface, so there are no families to declare here: the feature is what a
model without its classifier answers, the sequence is what it pooled. timm itself is an extra that
few need; `timm_transform` reads how images are prepared.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from exporters.encoders.encoded import Encoded
from exporters.encoders.pixels import ImageNetwork
from exporters.encoders.timm_transform import read_transform
from exporters.encoders.torchvision_import import make_torchvision_importable
from exporters.errors import EncoderError, MissingRequirementError

if TYPE_CHECKING:
    import torch

    from exporters.checkpoints import Checkpoint
    from exporters.recipe_sections import ImageEncoderRecipe

_WEIGHTS: Final = "model.safetensors"
_INSTALL: Final = "pip install -c constraints.txt -e '.[timm]'"
_FILES: Final = ("config.json", _WEIGHTS)

_LOADING_ERRORS: Final = (
    SafetensorError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AssertionError,
)

# Where timm would look for weights, and how it would read them. They are read here.
_SOURCES: Final = ("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source")


class PooledTimmModel(nn.Module):
    """A timm network without classifier; it answers with what it pools and what it pooled."""

    def __init__(self, network: Any) -> None:  # noqa: ANN401  # timm's interface has no type
        super().__init__()
        self.network = network
        self.class_tokens = int(getattr(network, "num_prefix_tokens", 0))
        self.has_channels_last = str(getattr(network, "output_fmt", "NCHW")) == "NHWC"

    def forward(self, planes: torch.Tensor) -> Encoded:
        """Normalised planes float32 (batch, 3, height, width) to feature and patches or cells."""
        states: torch.Tensor = self.network.forward_features(planes)
        pooled: torch.Tensor = self.network.forward_head(states)
        if states.dim() == 3:
            return Encoded(pooled, states[:, self.class_tokens :])
        if self.has_channels_last:
            return Encoded(pooled, states.flatten(1, 2))  # (batch, rows, columns, dim) -> cells
        return Encoded(pooled, states.flatten(2).transpose(1, 2))  # (batch, dim, rows, columns)


def is_one(checkpoint: Checkpoint) -> bool:
    """Whether the folder is in timm's layout; transformers' configs name a `model_type`."""
    if not (checkpoint.folder / "config.json").is_file():
        return False
    config = checkpoint.config()
    return "architecture" in config and "model_type" not in config


def load(checkpoint: Checkpoint, recipe: ImageEncoderRecipe) -> ImageNetwork:
    """Loads the network.

    Raises:
        EncoderError: the config or the weights are not what timm's own would be, or images are
            prepared in a way that is not supported.
        MissingRequirementError: the extra `timm` is not installed.
    """
    _require_timm(checkpoint.name)
    pretrained_cfg = _pretrained_cfg(checkpoint)
    preprocessing, normalisation = read_transform(checkpoint.name, pretrained_cfg, recipe)
    network = _create(checkpoint, pretrained_cfg)
    return ImageNetwork(
        module=PooledTimmModel(network),
        normalisation=normalisation,
        preprocessing=preprocessing,
        identity=[checkpoint.digest(*_FILES), "timm"],
    )


def _require_timm(encoder: str) -> None:
    make_torchvision_importable()
    try:
        import timm  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingRequirementError(
            error.name or "timm", "an image encoder in timm's layout", _INSTALL
        ) from error
    except (ImportError, RuntimeError) as error:  # releases that do not fit each other or torch
        raise EncoderError(
            encoder, f"timm cannot be imported: {error}; the releases that fit: {_INSTALL}"
        ) from error


def _pretrained_cfg(checkpoint: Checkpoint) -> dict[str, Any]:
    """What the config says of the weights, without where they might lie elsewhere."""
    config = checkpoint.config()
    fields = config.get("pretrained_cfg")
    if not isinstance(fields, dict):
        raise EncoderError(
            checkpoint.name,
            "its config.json has no pretrained_cfg; write the folder again with "
            "timm.models.save_for_hf(model, folder)",
        )
    return {
        key: value for key, value in fields.items() if key not in _SOURCES and key != "custom_load"
    } | {"architecture": config["architecture"]}


def _create(checkpoint: Checkpoint, pretrained_cfg: dict[str, Any]) -> nn.Module:
    """Builds the network and fills it with the checkpoint's weights, all of them or none.

    timm adapts weights of older code to today's, and lets what does not fit stay random where the
    number of classes differs. So the classifier's weights are taken out first, and the numbers of
    classes agree: then timm is strict.
    """
    import timm

    checkpoint.require_safetensors()
    config = checkpoint.config()
    arguments = config.get("model_args") or {}
    _require_plain_arguments(checkpoint, arguments)
    try:
        weights = load_file(checkpoint.folder / _WEIGHTS)
        classifiers = _classifiers(pretrained_cfg)
        state = {
            name: tensor
            for name, tensor in weights.items()
            if name.rpartition(".")[0] not in classifiers
        }
        network: nn.Module = timm.create_model(
            config["architecture"],
            pretrained=True,
            pretrained_cfg=pretrained_cfg | {"num_classes": 0, "state_dict": state},
            # Plain attention, which the TorchScript exporter turns into plain ONNX operators.
            exportable=True,
            **{**arguments, "num_classes": 0},
        )
    except _LOADING_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise EncoderError(checkpoint.name, f"timm cannot load it: {reason}") from error
    return network


def _classifiers(pretrained_cfg: dict[str, Any]) -> tuple[str, ...]:
    names = pretrained_cfg.get("classifier") or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _require_plain_arguments(checkpoint: Checkpoint, arguments: object) -> None:
    """Refuses arguments that are not the architecture's, such as a file to load weights from."""
    import timm

    own = set(inspect.signature(timm.create_model).parameters)
    taken = own | {"pretrained_model_args", "features_only", "pretrained_strict"}
    if not isinstance(arguments, dict) or not taken.isdisjoint(arguments):
        raise EncoderError(
            checkpoint.name,
            "its config.json has model_args that are not the architecture's; write the folder "
            "again with timm.models.save_for_hf(model, folder)",
        )
