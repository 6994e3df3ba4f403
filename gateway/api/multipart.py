"""Reads a `multipart/form-data` upload (RFC 7578) into an `Item`, from the socket's chunks.

The general form parsers write parts to temporary files and copy them back; here a part's slices are
kept until it ends and joined once. Each part's limit is enforced while it arrives.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.api.envelope import EnvelopeLimits, Item, image_too_large, text_too_long
from gateway.api.plain_form import split_plain_form
from gateway.errors import MalformedRequestError
from gateway.remote_images.locations import MAX_URL_CHARS
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

ENVELOPE_BYTES: Final = 16 * 1024
"""Room for boundaries and part headers beside the parts themselves."""

_PART_HEAD_BYTES: Final = 256

_BOUNDARY: Final = re.compile(
    r"""^multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;",]{1,70}))""",
    re.IGNORECASE,
)
_LISTS: Final = ("labels", "prompt_template")  # parts that come once for each value
_PARTS: Final = ("image", "image_url", "text", "top_k", "variant", "unit", "label_set", *_LISTS)
_MAX_SHORT_BYTES: Final = 256
_TOP_K: Final = re.compile(r"\d{1,9}", re.ASCII)
_PLAIN_ENCODINGS: Final = (b"", b"binary", b"8bit", b"7bit")


def max_body_bytes(limits: EnvelopeLimits) -> int:
    """Largest upload of one item; each label and template is a part with a head of its own."""
    values = limits.labels.max_labels + limits.labels.max_templates
    parts_bytes = limits.max_image_bytes + limits.max_text_bytes + limits.labels.max_bytes
    return parts_bytes + values * _PART_HEAD_BYTES + ENVELOPE_BYTES


async def read_multipart(
    content_type: str, chunks: AsyncIterator[bytes], limits: EnvelopeLimits
) -> Item:
    """Reads one upload.

    Args:
        content_type: value of the request's Content-Type header.
        chunks: the body.
        limits: of the image and the text.

    Raises:
        MalformedRequestError: the body is no valid upload, or has an unknown or repeated part.
        PayloadTooLargeError: a part is above its limit.
    """
    match = _BOUNDARY.match(content_type)
    if match is None:
        raise MalformedRequestError(
            "boundary_missing",
            "Content-Type names no boundary; let the HTTP library set the header.",
            field="Content-Type",
        )
    boundary = match[1] or match[2]
    reader = _PartReader(limits)
    # What is whole comes as one chunk, and is plain but for the bodies of few clients.
    chunk = await anext(chunks, b"")
    following = await anext(chunks, None)
    if following is None and reader.take_plain(split_plain_form(chunk, boundary)):
        return _to_item(reader.parts, reader.lists)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.on_part_begin,
                "on_header_field": reader.on_header_field,
                "on_header_value": reader.on_header_value,
                "on_header_end": reader.on_header_end,
                "on_headers_finished": reader.on_headers_finished,
                "on_part_data": reader.on_part_data,
                "on_part_end": reader.on_part_end,
                "on_end": reader.on_end,
            },
        )
        parser.write(chunk)
        if following is not None:
            parser.write(following)
        async for later in chunks:
            parser.write(later)
    except (FormParserError, UnicodeEncodeError) as error:
        raise MalformedRequestError(
            "multipart_invalid", "The body is not valid multipart/form-data."
        ) from error
    if not reader.is_complete:
        raise MalformedRequestError(
            "multipart_truncated", "The body ends before its closing boundary."
        )
    return _to_item(reader.parts, reader.lists)


class _PartReader:
    """Collects parts; its methods named `on_` are the parser's callbacks."""

    def __init__(self, limits: EnvelopeLimits) -> None:
        self.parts: dict[str, bytes] = {}
        self.lists: dict[str, list[bytes]] = {}
        self.is_complete = False
        self._limits = limits
        self._max_bytes = {
            "image": limits.max_image_bytes,
            "text": limits.max_text_bytes,
            "image_url": MAX_URL_CHARS,
            **dict.fromkeys(_LISTS, 4 * limits.labels.max_chars),
        }
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._slices: list[memoryview] = []
        self._size_bytes = 0

    def take_plain(self, parts: Sequence[tuple[str, bytes]] | None) -> bool:
        """Takes all parts of an upload, or none where the parser is to say what is wrong."""
        if parts is None:
            return False
        for name, content in parts:
            is_wrong = name not in _PARTS or name in self.parts
            if is_wrong or len(content) > self._max_bytes.get(name, _MAX_SHORT_BYTES):
                self.parts, self.lists = {}, {}
                return False
            self._keep(name, content)
        return True

    def on_part_begin(self) -> None:
        self._headers = {}
        self._header_name = self._header_value = b""
        self._slices = []
        self._size_bytes = 0

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def on_headers_finished(self) -> None:
        name = _part_name(self._headers.get(b"content-disposition", b""))
        if name is None:
            raise MalformedRequestError(
                "part_unnamed", "A part has no Content-Disposition with a name.", field="body"
            )
        if name not in _PARTS:
            raise MalformedRequestError(
                "part_unknown",
                f"A part has a name that is not known. {did_you_mean(name, _PARTS)}",
                field=name[:64],
            )
        if name in self.parts:
            raise MalformedRequestError(
                "part_repeated", f"The part '{name}' comes more than once.", field=name
            )
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
        if encoding not in _PLAIN_ENCODINGS:
            raise MalformedRequestError(
                "part_encoded",
                f"The part '{name}' has a transfer encoding; send it as it is (RFC 7578, 4.7).",
                field=name,
            )
        self._name = name

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size_bytes += end - start
        if self._size_bytes > self._max_bytes.get(self._name, _MAX_SHORT_BYTES):
            raise self._too_large()
        self._slices.append(memoryview(data)[start:end])

    def on_part_end(self) -> None:
        self._keep(self._name, b"".join(self._slices))
        self._slices = []

    def _keep(self, name: str, content: bytes) -> None:
        if name in _LISTS:
            self.lists.setdefault(name, []).append(content)
        else:
            self.parts[name] = content

    def on_end(self) -> None:
        self.is_complete = True

    def _too_large(self) -> Exception:
        if self._name == "image":
            return image_too_large(self._limits.max_image_bytes)
        if self._name == "text":
            return text_too_long(self._limits.max_text_chars)
        limit_bytes = self._max_bytes.get(self._name, _MAX_SHORT_BYTES)
        return MalformedRequestError(
            "part_too_long",
            f"The part '{self._name}' is longer than {limit_bytes} bytes.",
            field=self._name,
            limit=limit_bytes,
        )


@lru_cache(maxsize=256)  # clients repeat themselves, and the header parser is slow
def _part_name(disposition: bytes) -> str | None:
    kind, options = parse_options_header(disposition)
    name = options.get(b"name")
    return name.decode("utf-8", "replace") if kind == b"form-data" and name is not None else None


def _to_item(parts: dict[str, bytes], lists: dict[str, list[bytes]]) -> Item:
    return Item(
        image=parts.get("image"),
        image_url=_decode(parts, "image_url"),
        text=_decode(parts, "text"),
        top_k=_decode_top_k(parts),
        variant=_decode(parts, "variant"),
        unit=_decode(parts, "unit"),
        labels=_decode_list(lists, "labels"),
        prompt_template=_decode_list(lists, "prompt_template"),
        label_set=_decode(parts, "label_set"),
    )


def _decode_list(lists: dict[str, list[bytes]], name: str) -> list[str] | None:
    values = lists.get(name)
    return None if values is None else [_as_text(value, name) for value in values]


def _decode(parts: dict[str, bytes], name: str) -> str | None:
    part = parts.get(name)
    return None if part is None else _as_text(part, name)


def _as_text(part: bytes, name: str) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(
            "not_utf8", f"The part '{name}' is not valid UTF-8.", field=name
        ) from error


def _decode_top_k(parts: dict[str, bytes]) -> int | None:
    text = _decode(parts, "top_k")
    if text is None:
        return None
    if not _TOP_K.fullmatch(text.strip()):
        raise MalformedRequestError("top_k_invalid", "top_k is not a whole number.", field="top_k")
    return int(text)
