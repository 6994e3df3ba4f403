from __future__ import annotations

import base64

import numpy as np
import pytest
from pydantic import ValidationError

from gateway.contract.drift.packing import PackedArray


def test_array_comes_back_as_it_was() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5

    packed = PackedArray.model_validate_json(PackedArray.of(array, "<f4").model_dump_json())

    np.testing.assert_array_equal(packed.unpack(), array)


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((3,), b"\0" * 8),  # too short
        ((2,), b"\0" * 12),  # too long
        ((1,), np.array([np.inf], "<f4").tobytes()),
        ((2_000_000,), b""),  # more than anybody may ask for
    ],
)
def test_array_that_is_not_what_it_says_is_refused(shape: tuple[int, ...], data: bytes) -> None:
    with pytest.raises(ValidationError):
        PackedArray(dtype="<f4", shape=shape, data=base64.b64encode(data).decode())


def test_array_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ValidationError, match="base64"):
        PackedArray(dtype="<f4", shape=(1,), data="????")
