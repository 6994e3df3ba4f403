"""Labels as a caller gives them, and the rules for them that all transports share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.contract.zero_shot import PLACEHOLDER, is_template, prompts_of
from gateway.errors import InvalidInputError, MalformedRequestError, PayloadTooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_LABELS: Final = 2


@dataclass(frozen=True, slots=True)
class LabelLimits:
    """How many labels a request may give, and how long they may be.

    `max_chars` counts Unicode characters, of a label and of a template.
    """

    max_labels: int
    max_chars: int
    max_templates: int

    @property
    def max_bytes(self) -> int:
        """All of it in UTF-8, 4 bytes a character."""
        return 4 * self.max_chars * (self.max_labels + self.max_templates)


@dataclass(frozen=True, slots=True)
class LabelQuery:
    """What a request is to be classified into.

    Attributes:
        labels: at least two, no two the same.
        templates: prompts that each label is put into; empty: the variant's own.
    """

    labels: tuple[str, ...]
    templates: tuple[str, ...] = ()

    def prompts(self, own_templates: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Returns the prompts of each label.

        Args:
            own_templates: of the variant.
        """
        templates = self.templates or own_templates
        return tuple(prompts_of(label, templates) for label in self.labels)


def to_query(
    labels: Sequence[str], templates: Sequence[str] | None, limits: LabelLimits
) -> LabelQuery:
    """Checks labels and templates.

    Raises:
        MalformedRequestError: there are fewer than two labels, one comes twice, or a template does
            not hold the placeholder exactly once.
        InvalidInputError: a label has nothing but white space.
        PayloadTooLargeError: there are too many, or one is too long.
    """
    _require_at_most("labels", len(labels), limits.max_labels)
    if len(labels) < MIN_LABELS:
        raise MalformedRequestError(
            "labels_too_few",
            f"labels holds fewer than {MIN_LABELS}; give all that are to be told apart.",
            field="labels",
            limit=MIN_LABELS,
            actual=len(labels),
        )
    for position, label in enumerate(labels):
        _require_length("labels", position, label, limits.max_chars)
        if not label.strip():
            raise InvalidInputError(
                "label_empty",
                f"labels[{position}] has no characters but white space; leave it out.",
                field="labels",
                actual=position,
            )
    if len(set(labels)) < len(labels):
        first_with: dict[str, int] = {}
        for position, label in enumerate(labels):
            if (first := first_with.setdefault(label, position)) != position:
                raise MalformedRequestError(
                    "label_repeated",
                    f"labels[{position}] is the same as labels[{first}]; give each label once.",
                    field="labels",
                    actual=position,
                )
    return LabelQuery(tuple(labels), to_templates(templates, limits))


def to_templates(templates: Sequence[str] | None, limits: LabelLimits) -> tuple[str, ...]:
    """Checks templates; none given are none. Raises as `to_query` does."""
    if templates is None:
        return ()
    _require_at_most("prompt_template", len(templates), limits.max_templates)
    if not templates:
        raise MalformedRequestError(
            "prompt_template_missing",
            "prompt_template is an empty list; leave it out to take the variant's own.",
            field="prompt_template",
        )
    for position, template in enumerate(templates):
        _require_length("prompt_template", position, template, limits.max_chars)
        if not is_template(template):
            raise MalformedRequestError(
                "prompt_template_invalid",
                f"prompt_template must hold {PLACEHOLDER} exactly once, as in "
                f'"a photo of a {PLACEHOLDER}".',
                field="prompt_template",
                limit=1,
                actual=template.count(PLACEHOLDER),
            )
    return tuple(templates)


def _require_at_most(field: str, actual: int, limit: int) -> None:
    if actual > limit:
        raise PayloadTooLargeError(
            f"{field}_too_many",
            f"{field} holds at most {limit}; leave some out.",
            field=field,
            limit=limit,
            actual=actual,
        )


def _require_length(field: str, position: int, text: str, limit: int) -> None:
    if len(text) > limit:
        raise PayloadTooLargeError(
            f"{field}_too_long",
            f"{field}[{position}] is longer than {limit} characters; shorten it.",
            field=field,
            limit=limit,
            actual=len(text),
        )
