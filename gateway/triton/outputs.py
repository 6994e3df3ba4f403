"""Reads an ensemble's outputs: rows of the wanted length, and the traces of its branches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gateway.contract import tensors
from gateway.errors import BackendError
from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.triton.backend import Row

_US_PER_MS: Final = 1000.0


@value
class Trace:
    """What a branch of the ensemble tells of itself; None is what it does not tell."""

    preprocess_ms: float | None
    encode_ms: float | None
    batch_size: int | None


ABSENT: Final = Trace(None, None, None)


def rows_bytes(outputs: Mapping[str, Row]) -> int:
    """Returns the size of all outputs of one item, in bytes."""
    return sum(row.nbytes for row in outputs.values())


def read_row(outputs: Mapping[str, Row], name: str, length: int) -> Row:
    """Returns one output, of shape (length,) and finite.

    Raises:
        BackendError: it is not there, or not like that.
    """
    row = outputs.get(name)
    if row is None or row.shape != (length,) or not all(map(math.isfinite, row.tolist())):
        raise _broken(name)
    return row


def read_trace(outputs: Mapping[str, Row], name: str) -> Trace:
    """Reads a trace output; see `tensors.TRACE_FIELDS`. Raises as `read_row` does."""
    row = outputs.get(name)
    fields = [] if row is None else row.tolist()
    if len(fields) != len(tensors.TRACE_FIELDS) or not all(map(math.isfinite, fields)):
        raise _broken(name)
    preprocess_us, encode_us, batch_size = fields
    preprocess_ms = preprocess_us / _US_PER_MS
    if not batch_size:
        return Trace(preprocess_ms, None, None)
    return Trace(preprocess_ms, encode_us / _US_PER_MS, int(batch_size))


def _broken(name: str) -> BackendError:
    return BackendError(f"output {name} is missing, misshapen or not finite")
