"""Dual checkpoints against the logits that transformers' own model gives for images and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from exporters.alignment import align
from exporters.alignment.projections import embeddings_of
from exporters.evaluation.zero_shot import logits_of_scoring
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_dual_tower import image_processor, write_dual_checkpoint_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.data import Example

LABELS = ("red square", "a green circle", "white", "a small blue square on the ground")


def reference_logits(
    model_type: str, checkpoint: Path, examples: Sequence[Example]
) -> NDArray[np.float32]:
    """What transformers answers, from image files and labels, (images, labels)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    padding: dict[str, Any] = {"padding": True}
    if model_type == "siglip":  # it was trained on one length
        padding = {"padding": "max_length", "max_length": 64}
    tokens = tokenizer(list(LABELS), return_tensors="pt", **padding)
    images = [Image.open(each.image).convert("RGB") for each in examples]
    pixels = image_processor(model_type)(images=images, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        if model_type != "blip":
            model = transformers.AutoModel.from_pretrained(checkpoint).eval()
            logits: NDArray[np.float32] = model(**tokens, pixel_values=pixels).logits_per_image
            return np.asarray(logits)
        blip = transformers.BlipForImageTextRetrieval.from_pretrained(checkpoint).eval()
        cosines = [  # it pairs a text with each image
            blip(
                input_ids=tokens["input_ids"][[label]].expand(len(images), -1),
                attention_mask=tokens["attention_mask"][[label]].expand(len(images), -1),
                pixel_values=pixels,
                use_itm_head=False,
            ).itm_score[:, 0]
            for label in range(len(LABELS))
        ]
    return torch.stack(cosines, dim=1).numpy()


@pytest.mark.parametrize("model_type", ["clip", "siglip", "blip"])
def test_logits_of_a_dual_checkpoint_are_those_of_transformers(
    model_type: str, tmp_path: Path
) -> None:
    recipe = load_recipe(str(write_dual_checkpoint_recipe(tmp_path, model_type)))
    towers = align(recipe, Workspace(tmp_path / "workspace"))
    scoring = towers.scorings[ModalitySet.IMAGE]
    embeddings = embeddings_of(towers.projections, towers.features, ModalitySet.IMAGE).numpy()

    logits = logits_of_scoring(embeddings[:12], towers.label_directions(LABELS).numpy(), scoring)
    examples = towers.inputs.table.examples[:12]
    expected = reference_logits(model_type, tmp_path / model_type, examples)

    if model_type == "blip":  # its cosines have no scale of their own
        logits = logits / scoring.logit_scale
    # fp32 in another order of summation; the checkpoint's scale multiplies the error.
    np.testing.assert_allclose(logits, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))
    assert np.ptp(expected, axis=0).max() > 1e-3  # images do differ
    assert scoring.activation == ("sigmoid" if model_type == "siglip" else "softmax")
