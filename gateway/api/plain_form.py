"""Reads the upload that most clients send, whole and in its plainest form, without a parser.

A parser is called back for each piece of each header, of bodies that may be cut anywhere. A body
that is there whole is split at its boundary, in one call of C. Whatever is not plain (other
headers, parts that are not named as here, a boundary that is followed by something else) is left
to the parser, which says what is wrong with it: here nothing is refused, and nothing that the
parser would read otherwise is read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD: Final = re.compile(
    rb"""\r\n(?i:Content-Disposition): form-data; name="([a-z_]+)"(?:; filename="[\w. -]{0,99}")?"""
    rb"""(?:\r\n(?i:Content-Type): [\w./+-]{1,100}(?:; charset=[\w-]{1,40})?)?""",
    re.ASCII,
)
_END_OF_HEAD: Final = b"\r\n\r\n"
_LAST: Final = b"--\r\n"


def split_plain_form(body: bytes, boundary: str) -> Sequence[tuple[str, bytes]] | None:
    """Returns the names and contents of a whole body's parts; None where it is not plain.

    Args:
        body: all of it.
        boundary: of the Content-Type header.
    """
    if not boundary.isascii():
        return None
    delimiter = b"\r\n--" + boundary.encode()
    if not body.startswith(delimiter[2:]):
        return None
    first, *others = body.split(delimiter)
    if not others or others.pop() != _LAST:
        return None
    parts = []
    for section in (first[len(delimiter) - 2 :], *others):
        end = section.find(_END_OF_HEAD)
        if end < 0 or (name := _name(section[:end])) is None:
            return None
        parts.append((name, section[end + len(_END_OF_HEAD) :]))
    return parts


@lru_cache(maxsize=256)  # clients repeat themselves
def _name(head: bytes) -> str | None:
    match = _HEAD.fullmatch(head)
    return None if match is None else match[1].decode()
