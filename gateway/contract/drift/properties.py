"""What an input looks like from outside: its size, its format, its length, its script."""

from __future__ import annotations

import io
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import imagesize

NO_LETTERS: Final = "none"
_MAX_CHARS: Final = 256
_SIGNATURES: Final = (
    ("png", b"\x89PNG"),
    ("jpeg", b"\xff\xd8\xff"),
    ("gif", b"GIF8"),
    ("bmp", b"BM"),
    ("tiff", b"II*\x00"),
    ("tiff", b"MM\x00*"),
)


@dataclass(frozen=True, slots=True)
class ImageProperties:
    """An image file from outside.

    Attributes:
        file_bytes: its size.
        width_px: 0 where the header does not tell.
        height_px: the same.
        format: `jpeg`, `png`, `webp`, ..., or `other`.
    """

    file_bytes: int
    width_px: int
    height_px: int
    format: str

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width_px * self.height_px

    @property
    def aspect_ratio(self) -> float:
        """Width by height; 0 where they are not known."""
        return self.width_px / self.height_px if self.height_px else 0.0


@dataclass(frozen=True, slots=True)
class TextProperties:
    """A text from outside.

    Attributes:
        characters: how many.
        script: of most of its letters, `latin`, `cyrillic`, `cjk`, ...; `none` without letters.
    """

    characters: int
    script: str


def image_properties(image: bytes) -> ImageProperties:
    """Looks at an image file's header; never raises, whatever the bytes."""
    try:
        width_px, height_px = imagesize.get(io.BytesIO(image))
    except Exception:  # noqa: BLE001 - a parser at the edge, whose errors are not listed anywhere
        width_px, height_px = 0, 0
    return ImageProperties(
        len(image), max(int(width_px), 0), max(int(height_px), 0), _format_of(image)
    )


def text_properties(text: str) -> TextProperties:
    """Looks at a text's characters; of the script, at the first 256."""
    scripts = Counter(script for each in text[:_MAX_CHARS] if (script := _script_of(each)))
    script = scripts.most_common(1)[0][0] if scripts else NO_LETTERS
    return TextProperties(len(text), script)


def _format_of(image: bytes) -> str:
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "webp"
    return next((name for name, mark in _SIGNATURES if image.startswith(mark)), "other")


@lru_cache(maxsize=4096)
def _script_of(character: str) -> str | None:
    """Script of a letter: the first word of its Unicode name, which names it but for a few."""
    if not character.isalpha():
        return None
    return unicodedata.name(character, "unknown").partition(" ")[0].casefold()
