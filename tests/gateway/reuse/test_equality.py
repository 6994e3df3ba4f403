from __future__ import annotations

import dataclasses

import pytest

from gateway.reuse.equality import Question, content_digest

pytestmark = pytest.mark.anyio

QUESTION = Question("key-1", "demo-both-1", "d" * 64, {"IMAGE": b"ab", "TEXT": b"c"})


async def test_same_bytes_whatever_the_order_are_equal() -> None:
    again = dataclasses.replace(QUESTION, inputs={"TEXT": b"c", "IMAGE": bytes(bytearray(b"ab"))})
    assert (again, hash(again)) == (QUESTION, hash(QUESTION))
    assert await content_digest(again) == await content_digest(QUESTION)


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
async def test_any_difference_is_another_question_and_key(change: dict[str, object]) -> None:
    other = dataclasses.replace(QUESTION, **change)  # type: ignore[arg-type]
    assert other != QUESTION
    assert await content_digest(other) != await content_digest(QUESTION)


async def test_content_digest_large_image_is_hashed_off_the_loop_alike() -> None:
    image = bytes(5 * 1024 * 1024)
    large = dataclasses.replace(QUESTION, inputs={"IMAGE": image})
    changed = dataclasses.replace(QUESTION, inputs={"IMAGE": image[:-1] + b"\x01"})
    assert await content_digest(large) == await content_digest(large)
    assert await content_digest(large) != await content_digest(changed)


def test_question_hash_reads_the_middle_and_equality_all() -> None:
    images = [b"head" + middle * 64 + tail for middle in (b"a", b"b") for tail in (b"x", b"y")]
    questions = [dataclasses.replace(QUESTION, inputs={"IMAGE": each}) for each in images]
    assert len({hash(each) for each in questions}) == 2
    assert len(set(questions)) == 4
