"""What an encoder says of a batch: one vector a row, and the sequence that it was pooled from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Encoded(NamedTuple):
    """The two views of an encoded batch.

    Attributes:
        pooled: float32 (batch, dim).
        sequence: float32 (batch, length, sequence_dim): tokens of a text in their order, or patches
            or grid cells of an image, row by row and without class tokens. A position that is zero
            all along is padding. Of a dual tower it is what comes before the projection.
    """

    pooled: Tensor
    sequence: Tensor
