"""A small model of each family with random weights that make it listen to all of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

from tests.conformance.small_tokenizers import TOKENIZERS

if TYPE_CHECKING:
    from collections.abc import Callable

# Not the same as the hidden width, so that a projection that is left out shows.
PROJECTION_DIM = 24

_ENCODER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def build_model(model_type: str, image_size: int | list[int]) -> torch.nn.Module:
    """Builds a random model.

    Args:
        model_type: one of `MODELS`.
        image_size: side in pixels, or height and width, where the family fixes it.
    """
    torch.manual_seed(len(model_type))
    model: torch.nn.Module = MODELS[model_type](image_size)
    stir(model)
    settle(model, image_size)
    return model.eval()


def stir(model: torch.nn.Module) -> None:
    """Draws weights anew, so that variance is kept from layer to layer.

    transformers' own initial weights are so small that a feature hardly depends on its input: any
    preprocessing would then look right.
    """
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        else:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)


def settle(model: torch.nn.Module, image_size: int | list[int]) -> None:
    """Gives each batch normalisation a gain near one and the statistics of smooth images."""
    norms = [each for each in model.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.normal_(norm.weight, mean=1.0, std=0.1)
        norm.momentum = 1.0
    if not norms:
        return
    sides = image_size if isinstance(image_size, list) else [image_size, image_size]
    planes = torch.nn.functional.interpolate(3.0 * torch.randn(8, 3, 5, 5), sides, mode="bicubic")
    with torch.inference_mode():
        model.train()(planes)


def _text(model_type: str, positions: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    tokenizer = TOKENIZERS[model_type]()
    special = {
        name: getattr(tokenizer, name)
        for name in ("pad_token_id", "bos_token_id", "eos_token_id")
        if getattr(tokenizer, name) is not None
    }
    size = {"vocab_size": len(tokenizer), "max_position_embeddings": positions}
    return {**_ENCODER, **size, **special, **changes}


def _bert(_: Any) -> Any:  # noqa: ANN401  # here and below: transformers carries no types
    return transformers.BertModel(transformers.BertConfig(**_text("bert", 128)))


def _distilbert(_: Any) -> Any:  # noqa: ANN401
    fields = _text("distilbert", 128)
    return transformers.DistilBertModel(
        transformers.DistilBertConfig(
            vocab_size=fields["vocab_size"],
            max_position_embeddings=128,
            pad_token_id=fields["pad_token_id"],
            dim=32,
            hidden_dim=64,
            n_layers=2,
            n_heads=2,
        )
    )


def _roberta(_: Any) -> Any:  # noqa: ANN401
    config = transformers.RobertaConfig(**_text("roberta", 130), type_vocab_size=1)
    return transformers.RobertaModel(config)


def _xlm_roberta(_: Any) -> Any:  # noqa: ANN401
    config = transformers.XLMRobertaConfig(**_text("xlm-roberta", 130), type_vocab_size=1)
    return transformers.XLMRobertaModel(config)


def _deberta(_: Any) -> Any:  # noqa: ANN401
    """As DeBERTa-v3: relative positions in buckets, none in the embeddings, no token types."""
    fields = {
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "max_relative_positions": -1,
        "type_vocab_size": 0,
    }
    config = transformers.DebertaV2Config(**_text("deberta-v2", 128, **fields))
    return transformers.DebertaV2Model(config)


def _mpnet(_: Any) -> Any:  # noqa: ANN401
    return transformers.MPNetModel(transformers.MPNetConfig(**_text("mpnet", 130)))


def _vit(size: Any) -> Any:  # noqa: ANN401
    return transformers.ViTModel(transformers.ViTConfig(**_ENCODER, image_size=size, patch_size=16))


def _deit(size: Any) -> Any:  # noqa: ANN401
    config = transformers.DeiTConfig(**_ENCODER, image_size=size, patch_size=16)
    return transformers.DeiTModel(config)


def _dinov2(_: Any) -> Any:  # noqa: ANN401
    """Trained on 112 pixels, whatever it is served at: positions are interpolated."""
    config = transformers.Dinov2Config(**_ENCODER, image_size=112, patch_size=14)
    return transformers.Dinov2Model(config)


def _swin(size: Any) -> Any:  # noqa: ANN401
    """The last of four stages is one window, as in the published ones."""
    return transformers.SwinModel(
        transformers.SwinConfig(
            image_size=size,
            window_size=size // 32,
            embed_dim=16,
            depths=[2, 2, 2, 2],
            num_heads=[2, 2, 2, 2],
        )
    )


def _convnext(_: Any) -> Any:  # noqa: ANN401
    config = transformers.ConvNextConfig(hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 2, 1])
    return transformers.ConvNextModel(config)


def _resnet(_: Any) -> Any:  # noqa: ANN401
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1]
    )
    return transformers.ResNetModel(config)


def _efficientnet(size: Any) -> Any:  # noqa: ANN401
    """A third of B0: its widths are rounded to eights, its last one is 1280 times 0.3."""
    config = transformers.EfficientNetConfig(
        image_size=size, width_coefficient=0.3, depth_coefficient=0.3, hidden_dim=384
    )
    return transformers.EfficientNetModel(config)


def _clip(size: Any) -> Any:  # noqa: ANN401
    return transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config=_text("clip", 77),
            vision_config={**_ENCODER, "image_size": size, "patch_size": 16},
            projection_dim=PROJECTION_DIM,
        )
    )


def _siglip(size: Any) -> Any:  # noqa: ANN401
    return transformers.SiglipModel(
        transformers.SiglipConfig(
            text_config=_text("siglip", 64, projection_size=32),
            vision_config={**_ENCODER, "image_size": size, "patch_size": 16},
        )
    )


def _blip(size: Any) -> Any:  # noqa: ANN401
    return transformers.BlipForImageTextRetrieval(
        transformers.BlipConfig(
            text_config=_text("blip", 128, encoder_hidden_size=32),
            vision_config={**_ENCODER, "image_size": size, "patch_size": 16},
            image_text_hidden_size=PROJECTION_DIM,
        )
    )


MODELS: dict[str, Callable[[Any], Any]] = {
    "bert": _bert,
    "distilbert": _distilbert,
    "roberta": _roberta,
    "xlm-roberta": _xlm_roberta,
    "deberta-v2": _deberta,
    "mpnet": _mpnet,
    "vit": _vit,
    "deit": _deit,
    "dinov2": _dinov2,
    "swin": _swin,
    "convnext": _convnext,
    "resnet": _resnet,
    "efficientnet": _efficientnet,
    "clip": _clip,
    "siglip": _siglip,
    "blip": _blip,
}
"""By model_type; each takes the image size."""
