from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.storage.databases import Postgresql, running_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A server of its own, started when it is first asked for."""
    with running_postgresql() as server:
        yield server
