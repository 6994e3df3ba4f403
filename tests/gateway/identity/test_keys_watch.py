from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from gateway.errors import UnauthenticatedError
from gateway.identity.key_ring import KeyRing
from gateway.identity.keys_file import read_keys
from gateway.identity.keys_watch import follow_api_keys
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Watched:
    """A watched file, and what the watch said."""

    def __init__(self, keys: Keys) -> None:
        self.ring = KeyRing(read_keys(keys.path, is_exposed=True))
        self.reloads: list[str] = []
        self.count = 0
        self.watch = follow_api_keys(keys.path, self.ring, self, is_exposed=True)

    def set_api_keys(self, count: int) -> None:
        self.count = count

    def count_keys_reload(self, *, is_refused: bool) -> None:
        self.reloads.append("refused" if is_refused else "loaded")


async def test_look_new_key_is_good_and_old_one_gone_without_restart(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    old = keys.add("shop")
    watched = Watched(keys)
    keys.replace("")
    new = keys.add("shop")
    await watched.watch.look()
    assert watched.ring.authenticate(new).key_id == "shop"
    with pytest.raises(UnauthenticatedError):
        watched.ring.authenticate(old)
    assert (watched.reloads, watched.count) == (["loaded"], 1)


async def test_look_bad_file_is_refused_whole_once_and_old_keys_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop")
    watched = Watched(keys)
    keys.append('[[key]]\nid = "other"\n')
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            await watched.watch.look()
    assert watched.ring.authenticate(key).key_id == "shop"
    assert watched.reloads == ["refused"]
    assert [record.msg for record in caplog.records] == ["api_keys_refused"]


async def test_look_file_that_is_gone_keeps_the_keys_until_it_is_back(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop")
    text = keys.path.read_text()
    watched = Watched(keys)
    keys.path.unlink()
    await watched.watch.look()
    assert watched.ring.authenticate(key).key_id == "shop"
    keys.replace(text)
    await watched.watch.look()
    assert watched.reloads == ["refused", "loaded"]


async def test_look_follows_a_link_that_is_pointed_elsewhere(tmp_path: Path) -> None:
    # As Kubernetes changes a mounted secret.
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = Keys(tmp_path / "one"), Keys(tmp_path / "two")
    first.add("shop")
    new = second.add("shop")
    link = tmp_path / "keys.toml"
    link.symlink_to(first.path)
    first.path = link
    watched = Watched(first)
    later = tmp_path / "later"
    later.symlink_to(second.path)
    later.replace(link)
    await watched.watch.look()
    assert watched.ring.authenticate(new).key_id == "shop"


async def test_run_sees_a_change_within_seconds(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    watched = Watched(keys)
    running = asyncio.create_task(watched.watch.run())
    keys.add("shop")
    async with asyncio.timeout(5):
        while not watched.reloads:  # noqa: ASYNC110 - the watch has no event
            await asyncio.sleep(0.05)
    running.cancel()
    assert watched.reloads == ["loaded"]
