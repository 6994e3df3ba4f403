"""A small trained variant, and its encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.compression.encoder_side import sides_of
from exporters.recipe import load_recipe
from exporters.training import TrainedVariant, train
from exporters.workspace import Workspace
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from exporters.compression.encoder_side import EncoderSide


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("compression"))


@pytest.fixture(scope="session")
def variant(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> TrainedVariant:
    recipe = write_small_recipe(tmp_path_factory.mktemp("recipe"))
    return train(load_recipe(str(recipe)), workspace)


@pytest.fixture(scope="session")
def text_side(variant: TrainedVariant) -> EncoderSide:
    return sides_of(variant)[0]


@pytest.fixture(scope="session")
def image_side(variant: TrainedVariant) -> EncoderSide:
    return sides_of(variant)[1]
