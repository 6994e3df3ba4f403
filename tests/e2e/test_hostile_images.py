"""The fuzzers' corpus through the whole service: each file has its answer, and so has the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fuzz.hostile_images import READABLE, hostile_images

if TYPE_CHECKING:
    from tests.e2e.conftest import Sample
    from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", sorted(hostile_images()))
def test_hostile_image_is_refused_and_the_next_one_served(
    name: str, stack: Stack, sample: Sample
) -> None:
    data, code = hostile_images()[name]

    answer = httpx.post(f"{stack.url}/v1/classify", files={"image": data}, timeout=30)
    after = httpx.post(f"{stack.url}/v1/classify", files={"image": sample.image}, timeout=30)

    assert answer.json().get("code", READABLE) == code
    assert answer.status_code == (200 if code == READABLE else 422)
    assert after.status_code == 200
