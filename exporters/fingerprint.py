"""What a published variant depends on, told without loading any of it.

A second `export` of the same recipe has nothing to do. To know that in well under a second, this
reads files and versions only: no torch, no transformers, no decoding.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from exporters.checkpoints import find_checkpoint
from exporters.data.reading import read_rows
from exporters.data.sources import build_source
from exporters.digests import digest_of_file, digest_of_json, digest_of_source

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.recipe import Recipe
    from exporters.recipe_sections import EncoderRecipe
    from exporters.workspace import Workspace

_CODE: Final = ("exporters", "gateway.contract")
_ENCODER_FILES: Final = ("*.json", "*.safetensors", "*.pth")

PACKAGES: Final = (
    "nvidia-pytriton",
    "onnx",
    "onnxruntime",
    "pillow",
    "tokenizers",
    "torch",
    "transformers",
)
"""The packages whose version can change what is exported."""


def package_versions() -> dict[str, str]:
    """Versions of `PACKAGES`, by name."""
    return {name: version(name) for name in PACKAGES}


def fingerprint(recipe: Recipe, workspace: Workspace) -> str:
    """Returns a SHA-256 (64 hex digits) of recipe, data, checkpoints, code and versions.

    Raises:
        ExporterError: the data or a checkpoint is not there.
    """
    table = recipe.data.table or build_source(
        str(recipe.data.source), recipe.data.options, workspace
    )
    return digest_of_json(
        {
            "recipe": recipe.recipe_digest,
            "table": digest_of_file(table),
            "images": _image_digests(table, recipe.data.image_column),
            "text_encoder": _checkpoint_digest(recipe.text_encoder),
            "image_encoder": _checkpoint_digest(recipe.image_encoder),
            "code": digest_of_source(_CODE),
            "versions": package_versions(),
        }
    )


def _image_digests(table: Path, image_column: str) -> list[str]:
    images = (table.parent / row[image_column] for row in read_rows(table, [image_column]))
    return [digest_of_file(image) if image.is_file() else "" for image in images]


def _checkpoint_digest(recipe: EncoderRecipe) -> str:
    return find_checkpoint(recipe).digest(*_ENCODER_FILES)
