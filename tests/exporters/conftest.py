"""What all tests of the exporters share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.training.threads import torch_threads

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """More threads than idle cores wait for each other at every layer of these small networks."""
    with pytest.MonkeyPatch.context() as patch, torch_threads(1):
        patch.setattr("os.sched_getaffinity", lambda _process: {0})
        yield
