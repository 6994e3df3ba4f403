"""Examples to try the page with: a folder of images and sentences, read when somebody asks.

In it one folder a variant, as the exporters leave them: `sample.json` and the images that it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE_FILE: Final = "sample.json"
_MOST_VARIANTS: Final = 50
_MOST_SAMPLES: Final = 12
# What browsers show and the ensembles decode. SVG is left out: it can hold scripts.
_MEDIA_TYPES: Final = {
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


class _Example(BaseModel):
    image: str
    text: str
    label: str


class _SampleFile(_Example):
    labels: tuple[str, ...] = ()
    further: tuple[_Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with its sentence.

    Attributes:
        variant: whose example it is.
        image: the image file, in the variant's own folder.
        text: the sentence.
        label: what it really is.
        labels: what to classify it into, where the variant has no labels of its own.
    """

    variant: str
    image: Path
    text: str
    label: str
    labels: tuple[str, ...]

    @property
    def media_type(self) -> str:
        """Of the image."""
        return _MEDIA_TYPES[self.image.suffix.lower()]


def read_gallery(folder: Path) -> list[Sample]:
    """Reads all samples, by variant; what cannot be read or shown is left out."""
    try:
        variants = sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError:
        return []
    return [sample for each in variants[:_MOST_VARIANTS] for sample in _read_variant(each)]


def find_image(folder: Path, variant: str, image: str) -> Sample | None:
    """Returns the sample with an image; None for anything that is not in the gallery.

    Both names are compared with those of the gallery, never made into a path.
    """
    for sample in read_gallery(folder):
        if (sample.variant, sample.image.name) == (variant, image):
            return sample
    return None


def _read_variant(folder: Path) -> list[Sample]:
    try:
        file = _SampleFile.model_validate_json((folder / SAMPLE_FILE).read_bytes())
    except (OSError, ValidationError):
        return []
    return [
        Sample(folder.name, folder / each.image, each.text, each.label, file.labels)
        for each in islice((file, *file.further), _MOST_SAMPLES)
        if _is_shown(folder, each.image)
    ]


def _is_shown(folder: Path, image: str) -> bool:
    path = folder / image
    return path.name == image and path.suffix.lower() in _MEDIA_TYPES and path.is_file()
