"""Mutants of valid bytes: the inputs that get past the first check and break in the second."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

_PNG_SIGNATURE_BYTES = 8
_INTERESTING = (
    b"",
    b"\x00",
    b"\xff",
    b"\r\n",
    b"--",
    b"\xff\xd9",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
)


@dataclass(frozen=True)
class Edit:
    """Replaces `length` bytes at a share of the way through by `content`."""

    position: float
    length: int
    content: bytes

    def apply(self, data: bytes) -> bytes:
        start = int(self.position * len(data))
        return data[:start] + self.content + data[start + self.length :]


def edits() -> st.SearchStrategy[list[Edit]]:
    one = st.builds(
        Edit,
        position=st.floats(0, 1, exclude_max=True),
        length=st.sampled_from((0, 1, 2, 4, 16, 300)),
        content=st.one_of(st.sampled_from(_INTERESTING), st.binary(max_size=8)),
    )
    return st.lists(one, min_size=1, max_size=6)


@st.composite
def mutants(draw: st.DrawFn, seeds: Mapping[str, bytes]) -> bytes:
    """Edited, and sometimes cut off, copies of one of `seeds`.

    PNG chunks get a right checksum again, else the first one stops every mutant.
    """
    data = seeds[draw(st.sampled_from(sorted(seeds)))]
    for edit in draw(edits()):
        data = edit.apply(data)
    if draw(st.integers(0, 4)) == 0:
        data = data[: int(draw(st.floats(0, 1)) * len(data))]
    if data.startswith(b"\x89PNG") and draw(st.booleans()):
        data = _with_checksums(data)
    return data


def _with_checksums(png: bytes) -> bytes:
    whole, rest = png[:_PNG_SIGNATURE_BYTES], png[_PNG_SIGNATURE_BYTES:]
    while len(rest) >= 12:
        length = int.from_bytes(rest[:4], "big")
        if 12 + length > len(rest):
            break
        body = rest[4 : 8 + length]
        whole += rest[:4] + body + zlib.crc32(body).to_bytes(4, "big")
        rest = rest[12 + length :]
    return whole + rest
