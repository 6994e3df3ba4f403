from __future__ import annotations

import dataclasses

import pytest

from gateway.reuse.equality import Question, equality_key

pytestmark = pytest.mark.anyio

QUESTION = Question("key-1", "demo-both-1", "d" * 64, {"IMAGE": b"ab", "TEXT": b"c"})


async def test_equality_key_same_bytes_whatever_the_order_are_equal() -> None:
    again = dataclasses.replace(QUESTION, inputs={"TEXT": b"c", "IMAGE": bytes(bytearray(b"ab"))})
    assert await equality_key(again) == await equality_key(QUESTION)


@pytest.mark.parametrize(
    "change",
    [
        {"caller": "key-2"},
        {"model": "demo-text-1"},
        {"digest": "e" * 64},
        {"inputs": {"IMAGE": b"ab", "TEXT": b"d"}},
        {"inputs": {"IMAGE": b"a", "TEXT": b"bc"}},  # the same bytes, split elsewhere
        {"inputs": {"IMAGE": b"ab"}},
        {"inputs": {"IMAGE": b"c", "TEXT": b"ab"}},
    ],
)
async def test_equality_key_any_difference_is_another_key(change: dict[str, object]) -> None:
    other = dataclasses.replace(QUESTION, **change)  # type: ignore[arg-type]
    assert await equality_key(other) != await equality_key(QUESTION)


async def test_equality_key_large_image_is_hashed_off_the_loop_alike() -> None:
    image = bytes(5 * 1024 * 1024)
    large = dataclasses.replace(QUESTION, inputs={"IMAGE": image})
    changed = dataclasses.replace(QUESTION, inputs={"IMAGE": image[:-1] + b"\x01"})
    assert await equality_key(large) == await equality_key(large)
    assert await equality_key(large) != await equality_key(changed)
