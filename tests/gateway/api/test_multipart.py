from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from gateway.api import multipart
from gateway.api.envelope import EnvelopeLimits, Item
from gateway.api.multipart import read_multipart
from gateway.errors import MalformedRequestError, PayloadTooLargeError, RequestError
from gateway.zero_shot.query import LabelLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

LIMITS = EnvelopeLimits(
    max_image_bytes=5000,
    max_text_chars=100,
    max_top_k=10,
    max_batch_items=4,
    max_batch_body_bytes=100_000,
    max_stream_concurrency=4,
    labels=LabelLimits(max_labels=8, max_chars=20, max_templates=2),
)
BOUNDARY = "b0und4ry"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
IMAGE = b"\xff\xd8\r\n--b0und4r\r\n--b0und4\x00" * 20
"""Full of beginnings of the boundary."""


def part(name: str, content: bytes, headers: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n{headers}\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def read(body: bytes, *cuts: int, content_type: str = CONTENT_TYPE) -> Item:
    async def chunks() -> AsyncIterator[bytes]:
        edges = [0, *sorted(cuts), len(body)]
        for start, end in itertools.pairwise(edges):
            yield body[start:end]

    return await read_multipart(content_type, chunks(), LIMITS)


async def outcome(body: bytes, *cuts: int) -> Item | tuple[str | None, ...]:
    try:
        return await read(body, *cuts)
    except RequestError as error:
        return error.code, error.field, str(error)


async def test_read_multipart_is_the_same_however_the_body_is_cut() -> None:
    body = part("image", IMAGE, "Content-Type: image/jpeg\r\n") + part("text", "é".encode())
    body += part("top_k", b"3") + part("variant", b"demo") + END
    expected = Item(image=IMAGE, text="é", top_k=3, variant="demo")
    assert await read(body) == expected
    for cut in range(0, len(body), 7):
        assert await read(body, cut) == expected
    assert await read(body, *range(len(body))) == expected


async def test_read_multipart_quoted_boundary_and_parameters_are_read() -> None:
    body = part("text", b"a") + END
    content_type = f'Multipart/Form-Data; charset=utf-8; boundary="{BOUNDARY}"'
    assert await read(body, content_type=content_type) == Item(text="a")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "multipart_truncated"),
        (b"nonsense", "multipart_invalid"),
        (part("image", IMAGE), "multipart_truncated"),
        (part("image", IMAGE)[:-20], "multipart_truncated"),
        (part("text", b"a") + part("text", b"b") + END, "part_repeated"),
        (part("imgae", IMAGE) + END, "part_unknown"),
        (part("top_k", b"three") + END, "top_k_invalid"),
        (part("top_k", b"-1") + END, "top_k_invalid"),
        (part("top_k", "\uff13".encode()) + END, "top_k_invalid"),
        (part("variant", b"x" * 300) + END, "part_too_long"),
        (part("text", b"\xff\xfe") + END, "not_utf8"),
        (part("image", b"AAAA", "Content-Transfer-Encoding: base64\r\n") + END, "part_encoded"),
        (b"--b0und4ry\r\n\r\nno headers\r\n" + END, "part_unnamed"),
        (b"--b0und4ry\r\nContent-Disposition: form-data\r\n\r\n\r\n" + END, "part_unnamed"),
        (b"--b0und4ry\r\nBad Header: x\r\n\r\n\r\n" + END, "multipart_invalid"),
    ],
)
async def test_read_multipart_odd_bodies_are_malformed(body: bytes, code: str) -> None:
    with pytest.raises(MalformedRequestError) as caught:
        await read(body)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}y",
        'multipart/form-data; boundary="',
    ],
)
async def test_read_multipart_without_boundary_is_malformed(content_type: str) -> None:
    with pytest.raises(MalformedRequestError):
        await read(part("text", b"a") + END, content_type=content_type)


async def test_read_multipart_part_above_limit_is_refused_while_it_arrives() -> None:
    taken_bytes = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken_bytes
        yield part("image", b"")[:-2]
        while True:
            taken_bytes += 1000
            yield b"x" * 1000

    with pytest.raises(PayloadTooLargeError) as caught:
        await read_multipart(CONTENT_TYPE, endless(), LIMITS)
    assert (caught.value.field, caught.value.limit) == ("image", 5000)
    assert taken_bytes <= 7000


@pytest.mark.parametrize("seed", range(20))
async def test_read_multipart_mutated_bodies_are_read_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    good = part("image", IMAGE) + part("text", b"words") + part("top_k", b"3") + END
    for _ in range(30):
        body = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(body))
            what = rng.randrange(3)
            if what == 0:
                body[at] = rng.randrange(256)
            elif what == 1:
                del body[at : at + rng.randint(1, 40)]
            else:
                body[at:at] = rng.choice([b"\r\n", b"--", END, b"\x00", b'"', b":", b";"])
        # Whole, it may be split at its boundary; cut, the parser reads it.
        whole, cut = await outcome(bytes(body)), await outcome(bytes(body), len(body) // 2)
        assert whole == cut
        if isinstance(whole, Item):
            assert whole.image is None or len(whole.image) <= LIMITS.max_image_bytes


@pytest.mark.parametrize(
    "body",
    [
        part("image", IMAGE, "Content-Type: image/jpeg\r\n") + part("text", b"words") + END,
        part("text", b"") + END,
        part("labels", b"cat") + part("labels", b"dog") + END,
        part("text", b"a\r\n\r\nb\r\n--b0und4r") + END,
    ],
)
async def test_plain_bodies_are_split_without_the_parser(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await read(body, len(body) // 2)
    monkeypatch.setattr(multipart, "MultipartParser", None)
    assert await read(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        part("text", b"words") + END + b"epilogue",
        b"preamble\r\n" + part("text", b"words") + END,
        part("text", b"words") + END.removesuffix(b"\r\n"),
        part("text", b"words") + part("text", b"again") + END,
        part("text", b"x" * 401) + END,
        part("sound", b"words") + END,
        part("text", b"words", "Content-Transfer-Encoding: base64\r\n") + END,
        part("text", b"words", "Content-Disposition: form-data; name=image\r\n") + END,
        part("text", b"words", "Content-Type: text/plain\r\nContent-Type: text/html\r\n") + END,
        part("text", f"a\r\n--{BOUNDARY}b".encode()) + END,
        part("text", f"a\r\n--{BOUNDARY} \r\n".encode()) + END,
        part('text"; name="image', b"words") + END,
        part("text", b"words").replace(b"form-data", b"attachment") + END,
        part("text", b"words").replace(b'name="text"', b'name="text"; name*=image') + END,
        part("text", b"words").replace(b'"text"', b'"text"; filename="a;b"') + END,
        part("text", b"words").replace(b": form", b":form") + END,
        part("text", b"words").replace(b"\r\n", b"\n") + END,
        END,
        b"",
    ],
)
async def test_bodies_that_are_not_plain_are_read_as_the_parser_reads_them(body: bytes) -> None:
    assert await outcome(body) == await outcome(body, *range(0, len(body), 5))
