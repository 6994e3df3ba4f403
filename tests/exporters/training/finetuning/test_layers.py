"""Which parameters are unfrozen, in every family, and what stays in evaluation mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from exporters.encoders import load_image_encoder, load_text_encoder
from exporters.errors import EncoderError
from exporters.recipe import load_recipe
from exporters.recipe_sections import ImageEncoderRecipe, TextEncoderRecipe
from exporters.training.finetuning.layers import unfreeze
from tests.conformance.cases import CASES
from tests.small_checkpoints import save_small_bert

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.encoders import ImageEncoder, TextEncoder
    from tests.conformance.cases import Case

# One size of each family: the stack of layers is the same at another.
FAMILIES = {f"{case.model_type}-{case.modality}": case for case in reversed(CASES)}


@pytest.fixture
def bert(tmp_path: Path) -> TextEncoder:
    return load_text_encoder(TextEncoderRecipe(folder=save_small_bert(tmp_path), max_tokens=32))


def load(case: Case, folder: Path) -> TextEncoder | ImageEncoder:
    case.save(folder)
    if case.modality == "text":
        return load_text_encoder(TextEncoderRecipe(folder=folder, max_tokens=case.max_tokens))
    return load_image_encoder(ImageEncoderRecipe(folder=folder))


def encode(encoder: TextEncoder | ImageEncoder) -> torch.Tensor:
    if hasattr(encoder, "tokenizer"):
        ids, mask = encoder.tokenizer.encode_batch(["a", "a b"])
        features: torch.Tensor = encoder.module(torch.from_numpy(ids), torch.from_numpy(mask))
        return features
    size = encoder.preprocessing
    pixels = torch.randint(0, 256, (2, size.height, size.width, 3), dtype=torch.uint8)
    pooled: torch.Tensor = encoder.module(pixels)
    return pooled


@pytest.mark.parametrize("name", FAMILIES)
def test_unfreeze_last_layer_of_each_family_reaches_the_feature_and_nothing_below(
    name: str, tmp_path: Path
) -> None:
    encoder = load(FAMILIES[name], tmp_path)
    below = {key: value.clone() for key, value in encoder.module.named_parameters()}

    part = unfreeze(encoder.name, encoder.module, 1)
    part.set_training(encoder.module)
    encode(encoder).square().sum().backward()  # type: ignore[no-untyped-call]
    torch.optim.SGD(part.parameters.values(), lr=0.1).step()

    changed = {
        key
        for key, value in encoder.module.named_parameters()
        if not torch.equal(value, below[key])
    }
    assert changed
    assert changed <= set(part.parameters)
    assert set(part.depths.values()) == {0}
    assert len(part.parameters) < len(below)  # something stays frozen
    assert not any("embeddings.word" in key or "rel_embeddings" in key for key in part.parameters)


def test_unfreeze_two_layers_are_the_last_two_and_what_follows_them(bert: TextEncoder) -> None:
    part = unfreeze(bert.name, bert.module, 2)

    layers = {key.split(".")[3]: depth for key, depth in part.depths.items() if ".layer." in key}
    assert layers == {"1": 0, "0": 1}
    assert not any("embeddings" in key for key in part.parameters)
    trained = {key for key, value in bert.module.named_parameters() if value.requires_grad}
    assert trained == set(part.parameters)


def test_unfreeze_all_takes_embeddings_as_the_deepest_layer(bert: TextEncoder) -> None:
    part = unfreeze(bert.name, bert.module, "all")

    assert set(part.parameters) == dict(bert.module.named_parameters()).keys()
    assert {depth for key, depth in part.depths.items() if "embeddings" in key} == {2}


def test_unfreeze_more_layers_than_there_are_names_both_numbers(bert: TextEncoder) -> None:
    with pytest.raises(EncoderError, match=r"3 layers are to be fine-tuned, and it has 2"):
        unfreeze(bert.name, bert.module, 3)


def test_unfreeze_network_without_a_list_of_layers_is_refused() -> None:
    with pytest.raises(EncoderError, match="no list of layers"):
        unfreeze("flat", nn.Sequential(nn.Linear(2, 2)), 1)


def test_set_training_of_efficientnet_keeps_every_batch_norm_as_it_was_pretrained() -> None:
    encoder = load_image_encoder(load_recipe("openmoji").image_encoder)
    means = {key: each.clone() for key, each in encoder.module.named_buffers()}

    part = unfreeze(encoder.name, encoder.module, 3)
    part.set_training(encoder.module)
    encode(encoder)

    in_training = {name for name, each in encoder.module.named_modules() if each.training}
    assert any("_blocks.15" in name for name in in_training)
    assert not any("_blocks.12" in name or "_bn" in name for name in in_training)
    assert all(torch.equal(each, means[key]) for key, each in encoder.module.named_buffers())
