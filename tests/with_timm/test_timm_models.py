"""Encoders of timm: images, features and sequences against timm's own, and what is refused."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_data_config

from exporters.conversion.graphs import export_image_encoder
from exporters.encoders import load_image_encoder
from exporters.encoders.timm_transform import read_transform
from exporters.errors import EncoderError
from exporters.preprocessing.images import decode_image
from exporters.recipe_sections import ImageEncoderRecipe
from exporters.training.finetuning.layers import unfreeze
from tests.conformance.samples import jpeg_files
from tests.conformance.timm_cases import TIMM_CASES, TimmCase

if TYPE_CHECKING:
    from pathlib import Path

VIT = TimmCase(
    "vit_tiny_patch16_224",
    "96x96",
    {"input_size": (3, 96, 96)},
    {"embed_dim": 32, "depth": 2, "num_heads": 2},
)
DISTILLED = TimmCase(
    "deit_tiny_distilled_patch16_224",
    "64x64",
    {"input_size": (3, 64, 64)},
    {"embed_dim": 32, "depth": 1, "num_heads": 2},
)
SWIN = TimmCase(
    "swin_tiny_patch4_window7_224",
    "64x96",
    {"input_size": (3, 64, 96), "crop_mode": "squash"},
    {"embed_dim": 16, "depths": (1, 1), "num_heads": (2, 2), "window_size": 4},
)
CONVNEXT = next(case for case in TIMM_CASES if case.architecture == "convnext_atto")


def recipe(folder: Path) -> ImageEncoderRecipe:
    return ImageEncoderRecipe.model_validate({"folder": folder, "jpeg_decode": "full"})


def edit(folder: Path, change: dict[str, Any], *, of_weights: bool = False) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    (config["pretrained_cfg"] if of_weights else config).update(change)
    file.write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"interpolation": "bicubic"},
        # Odd sizes leave odd numbers of pixels to crop, of which torchvision rounds half to even.
        *({"input_size": (3, side, side), "crop_pct": 0.875} for side in (63, 64, 65, 66)),
        {"input_size": (3, 96, 96), "crop_pct": 0.95, "interpolation": "bilinear"},
        {"input_size": (3, 96, 96), "crop_pct": 1.0, "interpolation": "lanczos"},
        {"input_size": (3, 97, 64), "crop_pct": 0.9, "crop_mode": "squash"},
        {"input_size": (3, 64, 64), "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)},
    ],
    ids=str,
)
def test_fully_decoded_jpeg_has_the_pixels_of_timm_s_transform(changes: dict[str, Any]) -> None:
    preprocessing, normalisation = read_transform("small", changes, recipe_anywhere())
    transform = create_transform(**resolve_data_config(pretrained_cfg=changes))
    mean, std = np.array(normalisation.mean), np.array(normalisation.std)
    for file in jpeg_files():
        image = Image.open(io.BytesIO(file)).convert("RGB")

        pixels = decode_image(file, preprocessing)

        # Back to levels of 255: the same whole numbers but for timm's fp32 normalisation, some
        # 1e-7 of at most 255. A pixel that differed would differ by 1.
        levels = np.asarray(transform(image)).transpose(1, 2, 0).astype(np.float64) * std + mean
        np.testing.assert_allclose(levels, pixels, atol=1e-3, rtol=0)


def recipe_anywhere() -> ImageEncoderRecipe:
    return ImageEncoderRecipe.model_validate({"hub": "none/needed", "jpeg_decode": "full"})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"crop_mode": "border"}, "crop_mode 'border'"),
        ({"interpolation": "random"}, "interpolation 'random'"),
        ({"input_size": (1, 64, 64), "mean": (0.5,), "std": (0.5,)}, "1 channels"),
        ({"input_size": (3, 64, 96)}, "64x96"),
        ({"crop_pct": 1.5}, "crop_pct is 1.5"),
        ({"mean": (0.5, 0.5)}, "pretrained_cfg"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_transform_that_is_not_supported_is_refused_by_its_key(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(EncoderError, match=named):
        read_transform("small", changes, recipe_anywhere())


@pytest.mark.parametrize(
    ("case", "cells", "dim"),
    [(VIT, 6 * 6, 32), (DISTILLED, 4 * 4, 32), (SWIN, 8 * 12, 32), (CONVNEXT, 3 * 3, 64)],
    ids=lambda value: value.architecture if isinstance(value, TimmCase) else "",
)
def test_encoder_gives_timm_s_feature_and_the_cells_that_it_pooled(
    case: TimmCase, cells: int, dim: int, tmp_path: Path
) -> None:
    case.save(tmp_path)
    encoder = load_image_encoder(recipe(tmp_path))
    files = jpeg_files()[:2]
    pixels = np.stack([decode_image(file, encoder.preprocessing) for file in files])

    with torch.inference_mode():
        pooled, sequence = encoder.module.encode(torch.from_numpy(pixels))

    # Another order of normalising and plain attention: fp32 rounding.
    np.testing.assert_allclose(pooled, case.reference(tmp_path, files), atol=1e-4, rtol=0)
    assert sequence.shape == (2, encoder.cells, encoder.cell_dim) == (2, cells, dim)
    assert encoder.dim == dim


def test_swin_s_sequence_runs_row_by_row(tmp_path: Path) -> None:
    SWIN.save(tmp_path)
    encoder = load_image_encoder(recipe(tmp_path))
    pixels = torch.zeros((2, 64, 96, 3), dtype=torch.uint8)
    pixels[1, :4, 92:] = 255  # the upper right window

    with torch.inference_mode():
        black, marked = encoder.module.encode(pixels).sequence
    moved = (marked - black).abs().sum(dim=1).view(8, 12)

    assert moved[:4, 8:].min() > 0
    assert moved[4:].sum() == moved[:, :4].sum() == 0


def test_export_proves_the_graph_of_a_sequence(tmp_path: Path) -> None:
    VIT.save(tmp_path)

    export_image_encoder(load_image_encoder(recipe(tmp_path)), tmp_path / "model.onnx")

    assert (tmp_path / "model.onnx").is_file()


def test_weights_that_are_missing_are_refused_and_not_drawn(tmp_path: Path) -> None:
    VIT.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["blocks.1.attn.qkv.weight"]
    save_file(weights, tmp_path / "model.safetensors")

    with pytest.raises(EncoderError, match=r"blocks\.1\.attn\.qkv\.weight"):
        load_image_encoder(recipe(tmp_path))


def test_weights_that_end_too_early_are_refused(tmp_path: Path) -> None:
    VIT.save(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-64])

    with pytest.raises(EncoderError, match="cannot load it"):
        load_image_encoder(recipe(tmp_path))


def test_pickle_beside_the_config_is_never_read(tmp_path: Path) -> None:
    VIT.save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04c")

    with pytest.raises(EncoderError, match="pickle"):
        load_image_encoder(recipe(tmp_path))


def test_weights_elsewhere_are_not_followed(tmp_path: Path) -> None:
    VIT.save(tmp_path)
    before = load_image_encoder(recipe(tmp_path)).module.state_dict()
    edit(tmp_path, {"file": "/elsewhere.bin", "url": "http://127.0.0.1:9/w.pth"}, of_weights=True)
    edit(tmp_path, {"hf_hub_id": "some/one", "custom_load": True}, of_weights=True)

    after = load_image_encoder(recipe(tmp_path)).module.state_dict()

    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("argument", ["checkpoint_path", "pretrained", "features_only"])
def test_model_args_that_are_timm_s_own_are_refused(argument: str, tmp_path: Path) -> None:
    VIT.save(tmp_path)
    edit(tmp_path, {"model_args": {argument: "weights.bin"}})

    with pytest.raises(EncoderError, match="model_args"):
        load_image_encoder(recipe(tmp_path))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"architecture": "resnet_of_mine"}, "resnet_of_mine"),
        ({"pretrained_cfg": None}, "save_for_hf"),
        ({"architecture": "resnet18"}, "cannot load it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_config_that_timm_does_not_take_is_refused(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    VIT.save(tmp_path)
    edit(tmp_path, change)

    with pytest.raises(EncoderError, match=named):
        load_image_encoder(recipe(tmp_path))


@pytest.mark.parametrize("case", [VIT, CONVNEXT], ids=lambda case: case.architecture)
def test_last_layers_of_timm_s_stack_can_be_fine_tuned(case: TimmCase, tmp_path: Path) -> None:
    case.save(tmp_path)
    module = load_image_encoder(recipe(tmp_path)).module

    unfrozen = unfreeze("small", module, 1)

    stack = "blocks.1." if case is VIT else "stages.3."
    assert any(stack in name for name in unfrozen.parameters)
    assert not any("patch_embed" in name or "stem" in name for name in unfrozen.parameters)
    assert set(unfrozen.depths.values()) == {0}


def test_transformers_processors_work_beside_torchvision() -> None:
    """transformers imports torchvision where it is installed, whatever torch it was built for."""
    from transformers import ViTImageProcessorPil

    pixels = ViTImageProcessorPil(size={"height": 8, "width": 8})(
        images=Image.new("RGB", (9, 9)), return_tensors="np"
    )["pixel_values"]

    assert pixels.shape == (1, 3, 8, 8)
    assert timm.is_model("resnet18")
