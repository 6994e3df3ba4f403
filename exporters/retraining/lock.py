"""One retraining of a recipe at a time: a lock that the kernel lets go when its holder dies."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporters.retraining.errors import RetrainingRunsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_retraining(recipe: str, file: Path) -> Iterator[None]:
    """Holds the lock for the length of the block.

    Args:
        recipe: its name, for the error.
        file: is made where it is missing, and stays.

    Raises:
        RetrainingRunsError: another process holds it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RetrainingRunsError(recipe, file) from error
        yield
