"""What the bench reads in the model repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.local.errors import RepositoryError
from loadtest.bench.errors import UnsupportedVariantError
from loadtest.bench.variant import read_variant
from tests.loadtest.bench import tiny_variant

if TYPE_CHECKING:
    from pathlib import Path


def test_read_variant_finds_graphs_tokeniser_and_settings(tmp_path: Path) -> None:
    tiny_variant.publish(tmp_path)

    variant = read_variant(tmp_path, "tiny")

    assert (variant.name, variant.digest) == ("tiny", tiny_variant.DIGEST)
    assert (variant.precision, variant.labels) == ("fp32", tiny_variant.LABELS)
    assert variant.models == (tiny_variant.ENSEMBLE,)
    assert variant.image_graph == tmp_path / "tiny-image" / "1" / "model.onnx"
    assert (variant.preprocessing.height, variant.preprocessing.jpeg_decode) == (8, "scaled")
    assert variant.tokeniser.load().tokenise(["a word"]) == [[1, 0, 0, 2]]


def test_read_variant_newest_version_is_the_highest_number(tmp_path: Path) -> None:
    tiny_variant.publish(tmp_path)
    for version in ("2", "10"):
        (tmp_path / "tiny-head" / version).mkdir()

    assert read_variant(tmp_path, "tiny").head_graph.parent.name == "10"


def test_read_variant_of_other_steps_names_what_is_missing(tmp_path: Path) -> None:
    tiny_variant.publish(tmp_path, steps=("image", "head"))

    with pytest.raises(UnsupportedVariantError, match="no step text_encoder") as caught:
        read_variant(tmp_path, "tiny")

    assert caught.value.missing_steps == ("text_encoder",)


def test_read_variant_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    tiny_variant.publish(tmp_path)

    with pytest.raises(RepositoryError, match="make export"):
        read_variant(tmp_path, "other")
