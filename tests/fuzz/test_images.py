"""An image file, however damaged, becomes pixels or a fault, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given

from exporters.preprocessing.errors import InputFaultError
from exporters.preprocessing.images import ImagePreprocessing, decode_image
from tests.fuzz.hostile_images import READABLE, hostile_images
from tests.fuzz.images import valid_images
from tests.fuzz.mutations import mutants

MAX_PIXELS = 1_000_000
SCALED = ImagePreprocessing(32, 32, 36, "bicubic", "scaled", MAX_PIXELS)
STRETCHED = ImagePreprocessing(32, 32, None, "bilinear", "full", MAX_PIXELS)

# Of a damaged EXIF block Pillow warns and goes on; in a served model that is a line in the log.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


@pytest.mark.parametrize("preprocessing", [SCALED, STRETCHED], ids=["scaled", "stretched"])
@pytest.mark.parametrize("name", sorted(valid_images()))
def test_decode_image_reads_every_seed(name: str, preprocessing: ImagePreprocessing) -> None:
    assert decode_image(valid_images()[name], preprocessing).shape == (32, 32, 3)


@pytest.mark.parametrize("name", sorted(hostile_images()))
def test_decode_image_of_the_corpus_gives_the_fault_that_is_named(name: str) -> None:
    data, code = hostile_images()[name]

    if code == READABLE:
        assert decode_image(data, SCALED).shape == (32, 32, 3)
        return
    with pytest.raises(InputFaultError) as caught:
        decode_image(data, ImagePreprocessing(32, 32, 36, "bicubic", "scaled", 25_000_000))
    assert caught.value.fault.code == code


@pytest.mark.parametrize("name", sorted(valid_images()))
def test_decode_image_of_a_mutant_gives_pixels_or_a_fault(name: str) -> None:
    @given(mutants({name: valid_images()[name]}))
    def decode(data: bytes) -> None:
        for preprocessing in (SCALED, STRETCHED):
            with suppress(InputFaultError):
                assert decode_image(data, preprocessing).shape == (32, 32, 3)

    decode()
