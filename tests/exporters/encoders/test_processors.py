"""Processor configs in the forms that checkpoints have them, against transformers' own pixels."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import transformers
from PIL import Image

from exporters.checkpoints import Checkpoint
from exporters.encoders.processors import read_processor
from exporters.errors import EncoderError
from exporters.preprocessing.images import decode_image
from exporters.recipe_sections import ImageEncoderRecipe
from tests.conformance.cases import CASES, Case
from tests.conformance.samples import jpeg_files

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = ImageEncoderRecipe.model_validate({"hub": "none/needed", "jpeg_decode": "full"})

OLD_FORMS: dict[str, dict[str, Any]] = {
    # As the first checkpoints of each family were published: a feature extractor, sizes as numbers.
    "vit": {"feature_extractor_type": "ViTFeatureExtractor", "size": 96},
    "clip": {"feature_extractor_type": "CLIPFeatureExtractor", "size": 112, "crop_size": 96},
    "convnext": {
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "size": 96,
        "crop_pct": 0.875,
    },
    "deit": {
        "feature_extractor_type": "DeiTFeatureExtractor",
        "size": 110,
        "crop_size": 96,
        "do_center_crop": True,
    },
    "fast": {"image_processor_type": "ViTImageProcessorFast", "size": {"height": 96, "width": 96}},
}


def checkpoint_with(folder: Path, model_type: str, fields: dict[str, Any]) -> Checkpoint:
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(fields), encoding="utf-8")
    return Checkpoint("small", folder)


def assert_pixels_are_the_processors(checkpoint: Checkpoint) -> None:
    preprocessing, normalisation = read_processor(checkpoint, RECIPE)
    processor = transformers.AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
    mean, std = np.array(normalisation.mean), np.array(normalisation.std)
    for file in jpeg_files():
        image = Image.open(io.BytesIO(file)).convert("RGB")
        planes = processor(images=image, return_tensors="np")["pixel_values"][0]

        pixels = decode_image(file, preprocessing)

        # Back to levels of 255. Both sides resize 8-bit pixels with Pillow, so they hold the same
        # whole numbers; what is left is the rounding of the processor's fp32 normalisation, some
        # 1e-7 of at most 255. A pixel that differed would differ by 1.
        levels = planes.transpose(1, 2, 0).astype(np.float64) * std + mean
        np.testing.assert_allclose(levels, pixels, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.modality == "image"], ids=lambda case: case.name
)
def test_fully_decoded_jpeg_has_the_pil_processors_pixels(case: Case, tmp_path: Path) -> None:
    case.save_processor(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": case.model_type}))

    assert_pixels_are_the_processors(Checkpoint(case.name, tmp_path))


@pytest.mark.parametrize("form", OLD_FORMS)
def test_older_and_newer_config_forms_are_read(form: str, tmp_path: Path) -> None:
    model_type = "vit" if form == "fast" else form

    assert_pixels_are_the_processors(checkpoint_with(tmp_path, model_type, OLD_FORMS[form]))


@pytest.mark.parametrize(
    "fields",
    [
        {"do_resize": False},
        {"size": {"shortest_edge": 96}},
        {"size": {"shortest_edge": 96, "longest_edge": 128}},
        {"do_pad": True, "pad_size": {"height": 256, "width": 256}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_processor_step_that_is_not_supported_is_refused(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    checkpoint = checkpoint_with(
        tmp_path, "vit", {"image_processor_type": "ViTImageProcessor", **fields}
    )

    with pytest.raises(EncoderError, match="not supported"):
        read_processor(checkpoint, RECIPE)


def test_processor_with_steps_of_its_own_is_refused(tmp_path: Path) -> None:
    """LeViT's resizes by 256/224 of what its config says; nothing in the config tells."""
    checkpoint = checkpoint_with(tmp_path, "levit", {"image_processor_type": "LevitImageProcessor"})

    with pytest.raises(EncoderError, match="LevitImageProcessor"):
        read_processor(checkpoint, RECIPE)


def test_folder_without_a_processor_config_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}), encoding="utf-8")

    with pytest.raises(EncoderError, match=r"preprocessor_config\.json"):
        read_processor(Checkpoint("small", tmp_path), RECIPE)
