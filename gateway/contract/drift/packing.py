"""Arrays within JSON: dtype, shape and the bytes in base64."""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from numpy.typing import NDArray

Dtype = Literal["<f4", "<f2", "|i1", "|u1"]
_MAX_BYTES: Final = 4 * 1024 * 1024


class PackedArray(BaseModel):
    """An array of a published reference.

    Attributes:
        dtype: as numpy spells it, with its byte order.
        shape: of the array.
        data: its bytes, row by row, in base64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: Dtype
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=2)]
    data: str

    @classmethod
    def of(cls, array: NDArray[Any], dtype: Dtype) -> Self:
        """Packs an array; the values are cast to `dtype`."""
        packed = np.ascontiguousarray(array, np.dtype(dtype))
        return cls(
            dtype=dtype,
            shape=packed.shape,
            data=base64.b64encode(packed.tobytes()).decode("ascii"),
        )

    def unpack(self) -> NDArray[np.float32]:
        """Returns the array in float32, of `shape`."""
        raw = np.frombuffer(base64.b64decode(self.data), np.dtype(self.dtype))
        return raw.reshape(self.shape).astype(np.float32)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        wanted_bytes = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        if wanted_bytes > _MAX_BYTES:
            message = f"an array takes at most {_MAX_BYTES} bytes"
            raise ValueError(message)
        try:
            raw = base64.b64decode(self.data, validate=True)
        except binascii.Error as error:
            message = "the data of an array is not base64"
            raise ValueError(message) from error
        if len(raw) != wanted_bytes:
            message = f"an array of shape {self.shape} wants {wanted_bytes} bytes, not {len(raw)}"
            raise ValueError(message)
        if not np.isfinite(np.frombuffer(raw, np.dtype(self.dtype))).all():
            message = "an array holds a number that is not finite"
            raise ValueError(message)
        return self
