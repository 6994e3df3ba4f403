"""Each family as a small checkpoint: its feature, its sequence, and what is refused."""

from __future__ import annotations

import ast
import inspect
import json
from typing import TYPE_CHECKING

import pytest
import torch
import transformers

from exporters.conversion.graphs import export_image_encoder
from exporters.encoders import families, load_image_encoder, load_text_encoder, vision_models
from exporters.errors import EncoderError
from exporters.recipe_sections import ImageEncoderRecipe, TextEncoderRecipe
from tests.conformance.cases import CASES, Case
from tests.conformance.small_models import PROJECTION_DIM
from tests.conformance.small_tokenizers import TOKENIZERS
from tests.readme_examples import example

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_DECLARATION_LINES = 19

SMALL_TEXTS = [case for case in CASES if case.modality == "text" and case.max_tokens == 12]
IMAGES = [case for case in CASES if case.modality == "image"]
# Patches of 16 pixels (DINOv2: 14), or cells of a grid 32 times smaller than the image (rounded up;
# EfficientNet's rounds down).
CELLS = {
    "vit-image-96x128": 6 * 8,
    "deit-image-96x96": 6 * 6,
    "dinov2-image-98x126": 7 * 9,
    "swin-image-96x96": 3 * 3,
    "convnext-image-224x224": 7 * 7,
    "resnet-image-90x90": 3 * 3,
    "efficientnet-image-90x90": 2 * 2,
    "clip-image-96x96": 6 * 6,
    "siglip-image-96x96": 6 * 6,
    "blip-image-96x96": 6 * 6,
}


def save(tmp_path: Path, name: str) -> tuple[Case, Path]:
    [case] = [case for case in CASES if case.name == name]
    case.save(tmp_path / case.model_type)
    return case, tmp_path / case.model_type


def text_recipe(folder: Path, **changes: object) -> TextEncoderRecipe:
    return TextEncoderRecipe.model_validate({"folder": folder, "max_tokens": 12, **changes})


def image_recipe(folder: Path) -> ImageEncoderRecipe:
    return ImageEncoderRecipe.model_validate({"folder": folder})


@pytest.mark.parametrize("case", SMALL_TEXTS, ids=lambda case: case.model_type)
def test_text_family_gives_a_state_for_each_token(case: Case, tmp_path: Path) -> None:
    case.save(tmp_path)
    encoder = load_text_encoder(text_recipe(tmp_path))
    ids, mask = encoder.tokenizer.encode_batch(["red", "the red square"])

    with torch.inference_mode():
        pooled, sequence = encoder.module.encode(torch.from_numpy(ids), torch.from_numpy(mask))

    is_projected = case.model_type in {"clip", "blip"}
    assert pooled.shape == (2, encoder.dim) == (2, PROJECTION_DIM if is_projected else 32)
    assert sequence.shape == (2, ids.shape[1], encoder.token_dim)
    assert encoder.token_dim == 32


@pytest.mark.parametrize("name", CELLS)
def test_image_family_gives_a_state_for_each_patch_or_cell(name: str, tmp_path: Path) -> None:
    _, folder = save(tmp_path, name)
    encoder = load_image_encoder(image_recipe(folder))
    size = (2, encoder.preprocessing.height, encoder.preprocessing.width, 3)
    pixels = torch.randint(0, 256, size, dtype=torch.uint8)

    with torch.inference_mode():
        pooled, sequence = encoder.module.encode(pixels)
        again = encoder.module(pixels)

    assert encoder.cells == CELLS[name]
    assert sequence.shape == (2, encoder.cells, encoder.cell_dim)
    assert pooled.shape == (2, encoder.dim)
    assert torch.equal(pooled, again)


def test_image_sequence_runs_row_by_row(tmp_path: Path) -> None:
    _, folder = save(tmp_path, "resnet-image-90x90")
    encoder = load_image_encoder(image_recipe(folder))
    pixels = torch.zeros((2, 90, 90, 3), dtype=torch.uint8)
    pixels[1, :20, 70:] = 255  # in the upper right corner

    with torch.inference_mode():
        black, marked = encoder.module.encode(pixels).sequence
    moved = (marked - black).abs().sum(dim=1).view(3, 3)

    assert (moved[:, 2] > 0).any()
    assert moved[2].sum() == moved[:, :2].sum() == 0


def test_dual_encoder_folder_serves_both_modalities_in_one_space(tmp_path: Path) -> None:
    case, folder = save(tmp_path, "clip-image-96x96")
    TOKENIZERS[case.model_type]().save_pretrained(folder)

    text, image = load_text_encoder(text_recipe(folder)), load_image_encoder(image_recipe(folder))

    assert text.dim == image.dim == PROJECTION_DIM
    assert text.digest != image.digest


def test_positions_after_the_pad_id_are_not_given_to_tokens(tmp_path: Path) -> None:
    _, folder = save(tmp_path, "roberta-text-12-tokens")

    assert load_text_encoder(text_recipe(folder, max_tokens=128)).tokenizer.pad_id == 1
    with pytest.raises(EncoderError, match="128 positions"):  # of 130 rows
        load_text_encoder(text_recipe(folder, max_tokens=129))


def test_family_trained_on_one_length_is_padded_to_it(tmp_path: Path) -> None:
    _, folder = save(tmp_path, "siglip-text-12-tokens")

    ids, _ = load_text_encoder(text_recipe(folder)).tokenizer.encode_batch(["red"])

    assert ids.shape == (1, 64)


def test_pooling_of_a_tower_cannot_be_chosen(tmp_path: Path) -> None:
    _, folder = save(tmp_path, "clip-text-12-tokens")

    with pytest.raises(EncoderError, match="pooling of its own"):
        load_text_encoder(text_recipe(folder, pooling="mean"))


def test_checkpoint_without_the_projection_is_refused(tmp_path: Path) -> None:
    """transformers would put random weights in its place, with a warning."""
    case, folder = save(tmp_path, "blip-text-12-tokens")
    config = transformers.BlipConfig.from_pretrained(folder)
    transformers.BlipForConditionalGeneration(config).save_pretrained(folder)
    TOKENIZERS[case.model_type]().save_pretrained(folder)

    with pytest.raises(EncoderError, match=r"no weights for text_encoder\."):
        load_text_encoder(text_recipe(folder))


def test_network_that_does_not_take_its_processor_s_size_is_refused(tmp_path: Path) -> None:
    _, folder = save(tmp_path, "vit-image-96x128")
    file = folder / "preprocessor_config.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(fields | {"size": {"height": 64, "width": 64}}), encoding="utf-8")

    with pytest.raises(EncoderError, match="does not take the 64x64 images"):
        load_image_encoder(image_recipe(folder))


def declarations() -> list[ast.Call]:
    tree = ast.parse(inspect.getsource(families))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {"TextFamily", "ImageFamily"}
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in names]


def test_every_family_is_a_declaration_of_fewer_than_20_lines() -> None:
    calls = declarations()

    lines = [(call.end_lineno or 0) - call.lineno + 1 for call in calls]

    assert len(calls) == len(families.TEXT_FAMILIES) + len(families.IMAGE_FAMILIES)
    assert max(lines) <= LARGEST_DECLARATION_LINES


def test_readme_s_new_family_is_all_that_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declaration = example("python", "family")
    assert len(declaration.splitlines()) <= LARGEST_DECLARATION_LINES
    family = eval(declaration, vars(families))  # noqa: S307  # our README
    monkeypatch.setattr(vision_models, "IMAGE_FAMILIES", (*families.IMAGE_FAMILIES, family))
    torch.manual_seed(0)
    config = transformers.ConvNextV2Config(hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 2, 1])
    model = transformers.ConvNextV2Model(config).eval()
    model.save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(tmp_path)
    pixels = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)

    encoder = load_image_encoder(image_recipe(tmp_path))
    export_image_encoder(encoder, tmp_path / "model.onnx")  # proves the graph, too
    with torch.inference_mode():
        feature = encoder.module(pixels)
        planes = pixels.permute(0, 3, 1, 2) / 127.5 - 1  # that processor's mean and std are 0.5
        reference = model(pixel_values=planes).pooler_output

    assert encoder.cells == 2 * 2
    # Another order of normalising, five blocks deep: fp32 rounding.
    torch.testing.assert_close(feature, reference, atol=1e-5, rtol=0)
