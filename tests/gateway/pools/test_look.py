from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.placement import PoolName
from gateway.pools.look import look_at
from tests.gateway.connections import connect
from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio


async def test_look_reads_configurations_at_every_fifth_look_while_the_models_are_the_same(
    triton: FakeTriton,
) -> None:
    read = []
    async with connect(triton) as backend:
        look = None
        for _ in range(7):
            look = await look_at(backend, PoolName.CPU, look)
            read.append(triton.configs_read)
            assert set(look.catalog.variants) == {"demo"}
    models = len(triton.repository)
    assert read == [models] * 5 + [2 * models] * 2


async def test_look_that_finds_other_models_reads_their_configurations(triton: FakeTriton) -> None:
    async with connect(triton) as backend:
        look = await look_at(backend, PoolName.CPU)
        triton.repository.update(make_repository(variant="new"))
        look = await look_at(backend, PoolName.CPU, look)
        assert set(look.catalog.variants) == {"demo", "new"}
        for name in make_repository():
            del triton.repository[name]
        assert set((await look_at(backend, PoolName.CPU, look)).catalog.variants) == {"new"}
