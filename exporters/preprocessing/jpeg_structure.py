"""What the structure of a JPEG file makes a decoder do, found without decoding.

The number of pixels does not bound the work. Each scan of a progressive file passes over the whole
image, and one that says nothing takes some 50 bytes: a file of 116 kB with a thousand of them took
11 s of CPU. What comes before the first scan Pillow reads segment by segment, copying each EXIF
segment onto the last: 9.6 MB of empty ones took 33 s.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SEGMENTS: Final = 512
"""Most segments before the first scan; a colour profile of 10 MiB takes 160."""

MAX_PADDING_BYTES: Final = 64 * 1024
"""Most bytes between two segments that belong to neither."""

MAX_FULL_SCANS: Final = 32
"""Most scans of an image with as many pixels as are allowed; encoders write about ten. A smaller
image may have more in proportion."""

_START: Final = b"\xff\xd8"
_MARKER: Final = re.compile(rb"[^\xff]*\xff+([^\xff])", re.DOTALL)
_SCAN: Final = 0xDA
_WITHOUT_LENGTH: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})


def is_jpeg(data: bytes) -> bool:
    """Whether a file begins as a JPEG does."""
    return data.startswith(_START)


def count_scans(data: bytes) -> int:
    """Returns an upper bound of the scans: entropy-coded data never holds their marker."""
    return data.count(b"\xff\xda")


def has_bounded_head(data: bytes) -> bool:
    """Whether the first scan or the end of the file comes after few segments, little padding."""
    at = len(_START)
    for _ in range(MAX_SEGMENTS):
        marker = _MARKER.match(data, at)
        if marker is None:
            return len(data) - at <= MAX_PADDING_BYTES
        if marker.end() - at > MAX_PADDING_BYTES:
            return False
        at = marker.end()
        if marker[1][0] == _SCAN:
            return True
        if marker[1][0] not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
        if at >= len(data):
            return True
    return False
