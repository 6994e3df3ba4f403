"""Silence around onnxruntime's quantiser, which logs advice at every call."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quietly() -> Iterator[None]:
    """Mutes the root logger up to warnings; onnxruntime 1.31 logs through it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
