"""The rules of the envelope that REST and gRPC share: what must be there, and how large it may be.

What an image is, the ensemble decides; here it is bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.api.subject import merged
from gateway.classification.values import ClassifyRequest
from gateway.errors import InvalidInputError, MalformedRequestError, PayloadTooLargeError
from gateway.value import value
from gateway.zero_shot.query import to_query, to_templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.admission.deadline import Deadline
    from gateway.placement import Placement
    from gateway.routing.subject import Subject
    from gateway.zero_shot.query import LabelLimits, LabelQuery

DEFAULT_TOP_K = 5


@dataclass(frozen=True, slots=True)
class EnvelopeLimits:
    """Limits of one item and of one request.

    `max_text_chars` counts Unicode characters.
    """

    max_image_bytes: int
    max_text_chars: int
    max_top_k: int
    max_batch_items: int
    max_batch_body_bytes: int
    max_stream_concurrency: int
    labels: LabelLimits

    @property
    def max_text_bytes(self) -> int:
        """Longest UTF-8 form of a text: 4 bytes a character."""
        return 4 * self.max_text_chars


@value
class RequestOrigin:
    """Where a request comes from: who, when, and its name in the logs; see `ClassifyRequest`."""

    request_id: str
    deadline: Deadline
    caller: str
    subject: Subject
    placement: Placement | None = None


@value
class Item:
    """What a caller sent, as any transport reads it; None is what was not sent."""

    image: bytes | None = None
    text: str | None = None
    top_k: int | None = None
    variant: str | None = None
    unit: str | None = None
    metadata: Mapping[str, str] | None = None
    image_url: str | None = None
    labels: Sequence[str] | None = None
    prompt_template: Sequence[str] | None = None
    label_set: str | None = None


def to_request(item: Item, origin: RequestOrigin, limits: EnvelopeLimits) -> ClassifyRequest:
    """Checks an item.

    Raises:
        MalformedRequestError: neither image nor text is there, or `top_k`, `variant`, `unit`,
            `metadata` or the labels are out of range.
        InvalidInputError: the image has no bytes, or the text only white space.
        PayloadTooLargeError: the image or the text is above its limit.
    """
    if item.image is None and item.text is None:
        raise MalformedRequestError(
            "input_missing", "Neither image nor text is given; send one of them or both."
        )
    if item.image is not None:
        _check_image(item.image, limits.max_image_bytes)
    if item.text is not None:
        _check_text(item.text, limits.max_text_chars)
    top_k = DEFAULT_TOP_K if item.top_k is None else item.top_k
    if not 1 <= top_k <= limits.max_top_k:
        raise MalformedRequestError(
            "top_k_out_of_range",
            f"top_k must be from 1 to {limits.max_top_k}.",
            field="top_k",
            limit=limits.max_top_k,
            actual=top_k,
        )
    if item.variant is not None and not item.variant:
        raise MalformedRequestError(
            "variant_empty", "variant has no characters; leave it out instead.", field="variant"
        )
    labels, templates = _check_labels(item, limits.labels)
    return ClassifyRequest(
        image=item.image,
        text=item.text,
        top_k=top_k,
        variant=item.variant,
        request_id=origin.request_id,
        deadline=origin.deadline,
        caller=origin.caller,
        subject=merged(origin.subject, item.unit, item.metadata),
        placement=origin.placement,
        labels=labels,
        label_set=item.label_set,
        templates=templates,
    )


def _check_labels(item: Item, limits: LabelLimits) -> tuple[LabelQuery | None, tuple[str, ...]]:
    """Returns the labels that are given, and the templates that go with those of a label set."""
    if item.labels is not None:
        if item.label_set is not None:
            raise MalformedRequestError(
                "labels_ambiguous",
                "labels and label_set are both given; send one of them.",
                field="label_set",
            )
        return to_query(item.labels, item.prompt_template, limits), ()
    if item.prompt_template is not None and item.label_set is None:
        raise MalformedRequestError(
            "labels_missing_for_template",
            "prompt_template is given without labels or label_set; leave it out, or send labels.",
            field="prompt_template",
        )
    return None, to_templates(item.prompt_template, limits)


def image_too_large(limit_bytes: int, actual_bytes: int | None = None) -> PayloadTooLargeError:
    """Makes the error of an image above its limit."""
    return PayloadTooLargeError(
        "image_too_large",
        f"The image is larger than {limit_bytes} bytes; send a smaller or more compressed one.",
        field="image",
        limit=limit_bytes,
        actual=actual_bytes,
    )


def text_too_long(limit_chars: int, actual_chars: int | None = None) -> PayloadTooLargeError:
    """Makes the error of a text above its limit."""
    return PayloadTooLargeError(
        "text_too_long",
        f"The text is longer than {limit_chars} characters; shorten it.",
        field="text",
        limit=limit_chars,
        actual=actual_chars,
    )


def _check_image(image: bytes, max_image_bytes: int) -> None:
    if not image:
        raise InvalidInputError(
            "image_empty", "The image has no bytes; leave it out to send text alone.", field="image"
        )
    if len(image) > max_image_bytes:
        raise image_too_large(max_image_bytes, len(image))


def _check_text(text: str, max_text_chars: int) -> None:
    if len(text) > max_text_chars:
        raise text_too_long(max_text_chars, len(text))
    if not text or text.isspace():
        raise InvalidInputError(
            "text_empty",
            "The text has no characters but white space; leave it out to send an image alone.",
            field="text",
        )
