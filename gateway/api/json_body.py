"""Reads JSON bodies into `Item`s: one, or a batch in which a bad item fails alone."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError

from gateway.api.envelope import EnvelopeLimits, Item
from gateway.api.schemas import BatchBody, ClassifyBody
from gateway.errors import MalformedRequestError, PayloadTooLargeError, RequestError
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

ENVELOPE_BYTES: Final = 16 * 1024
"""Room for names, punctuation and white space beside the values themselves."""

_THREAD_FROM_BYTES: Final = 1024 * 1024  # from here on decoding takes more than 5 ms
_Body = TypeVar("_Body", bound=BaseModel)
_Result = TypeVar("_Result")


def max_json_bytes(limits: EnvelopeLimits) -> int:
    """Largest JSON body of one item: base64 takes 4/3, an escaped character 12 bytes at most."""
    escaped_bytes = 12 * limits.max_text_chars + 3 * limits.labels.max_bytes
    return limits.max_image_bytes * 4 // 3 + escaped_bytes + ENVELOPE_BYTES


async def read_item(body: bytes) -> Item:
    """Reads one item.

    Raises:
        MalformedRequestError: not JSON, an unknown field, a wrong type, or invalid base64.
    """
    return await _off_loop(body, lambda: _to_item(validate(ClassifyBody, parse(body))))


async def read_items(body: bytes, limits: EnvelopeLimits) -> list[Item | RequestError]:
    """Reads a batch: for each item what it holds, or what is wrong with it.

    Raises:
        MalformedRequestError: the batch itself is not readable or has no items.
        PayloadTooLargeError: it has too many items.
    """
    return await _off_loop(body, lambda: _to_items(validate(BatchBody, parse(body)), limits))


async def _off_loop(body: bytes, decode: Callable[[], _Result]) -> _Result:
    if len(body) < _THREAD_FROM_BYTES:
        return decode()
    return await asyncio.to_thread(decode)


def parse(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Reads a JSON value.

    Raises:
        MalformedRequestError: it is none.
    """
    try:
        return pydantic_core.from_json(body)
    except ValueError as error:
        raise MalformedRequestError(
            "json_invalid", "The body is not valid JSON in UTF-8.", field="body"
        ) from error


def validate(model: type[_Body], value: Any) -> _Body:  # noqa: ANN401 - any JSON value
    """Checks a JSON value against a model.

    Raises:
        MalformedRequestError: an unknown field, or a wrong type.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = str(fault["loc"][0])[:64] if fault["loc"] else None
        if fault["type"] == "extra_forbidden" and name is not None:
            raise MalformedRequestError(
                "field_unknown",
                f"A field has a name that is not known. {did_you_mean(name, model.model_fields)}",
                field=name,
            ) from error
        if name is None:
            raise MalformedRequestError(
                "json_not_object", "The JSON value is not an object.", field="body"
            ) from error
        raise MalformedRequestError(
            "field_invalid", f"{name}: {fault['msg']}.", field=name
        ) from error


def _to_items(batch: BatchBody, limits: EnvelopeLimits) -> list[Item | RequestError]:
    if len(batch.items) > limits.max_batch_items:
        raise PayloadTooLargeError(
            "too_many_items",
            f"A batch holds at most {limits.max_batch_items} items; split it.",
            field="items",
            limit=limits.max_batch_items,
            actual=len(batch.items),
        )
    items: list[Item | RequestError] = []
    for value in batch.items:
        try:
            items.append(_to_item(validate(ClassifyBody, value)))
        except RequestError as error:
            items.append(error)
    return items


def _to_item(body: ClassifyBody) -> Item:
    image = None if body.image is None else _decode_base64(body.image)
    metadata = body.metadata
    return Item(
        image=image,
        text=body.text,
        top_k=body.top_k,
        variant=body.variant,
        unit=body.unit,
        image_url=body.image_url,
        metadata=None if metadata is None else {k: _as_text(v) for k, v in metadata.items()},
        labels=body.labels,
        prompt_template=templates_of(body.prompt_template),
        label_set=body.label_set,
    )


def templates_of(value: str | list[str] | None) -> list[str] | None:
    """Returns one template or several as a list."""
    return [value] if isinstance(value, str) else value


def _as_text(value: str | float | bool) -> str:
    # As JSON writes it, so that a header can say the same.
    return value if isinstance(value, str) else json.dumps(value)


def _decode_base64(text: str) -> bytes:
    if text.startswith("data:"):
        raise MalformedRequestError(
            "image_is_data_url",
            "image is a data URL; send the base64 after its comma alone.",
            field="image",
        )
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequestError(
            "image_not_base64", "image is not valid base64.", field="image"
        ) from error
