from __future__ import annotations

import io

import pytest
from PIL import Image

from gateway.contract.drift.language import familiarity, language_profile
from gateway.contract.drift.properties import image_properties, text_properties

ENGLISH = ("a red house by the sea", "the quick brown fox", "an old man with a dog", "the sea")


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_image_is_read_from_its_header(name: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, name)

    found = image_properties(file.getvalue())

    assert (found.format, found.width_px, found.height_px) == (name.lower(), 40, 20)
    assert found.file_bytes == len(file.getvalue())
    assert found.aspect_ratio == 2.0


@pytest.mark.parametrize("image", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF8", b"x"])
def test_broken_image_has_no_size_and_raises_nothing(image: bytes) -> None:
    found = image_properties(image)

    assert (found.pixels, found.aspect_ratio) == (0, 0.0)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("a house", "latin"),
        ("дом и сад", "cyrillic"),
        ("海の家", "cjk"),
        ("البيت", "arabic"),
        ("42 !?", "none"),
    ],
)
def test_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert text_properties(text).script == script


def test_text_of_another_language_is_less_familiar() -> None:
    profile = language_profile(ENGLISH)

    assert familiarity("a dog by the house", profile) > familiarity("Haus am Meeresufer", profile)
