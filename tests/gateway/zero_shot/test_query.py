from __future__ import annotations

import pytest

from gateway.errors import RequestError
from gateway.zero_shot.query import LabelLimits, to_query

LIMITS = LabelLimits(max_labels=3, max_chars=20, max_templates=2)


def test_to_query_keeps_labels_in_their_order() -> None:
    query = to_query(["dog", "cat"], ["a {label}"], LIMITS)
    assert query.prompts(("{label}",)) == (("a dog",), ("a cat",))


def test_prompts_without_templates_are_the_variants_own() -> None:
    query = to_query(["dog", "cat"], None, LIMITS)
    assert query.prompts(("{label}", "one {label}")) == (("dog", "one dog"), ("cat", "one cat"))


@pytest.mark.parametrize(
    ("labels", "templates", "code", "field"),
    [
        (["dog"], None, "labels_too_few", "labels"),
        (["a", "b", "c", "d"], None, "labels_too_many", "labels"),
        (["dog", "x" * 21], None, "labels_too_long", "labels"),
        (["dog", " \t"], None, "label_empty", "labels"),
        (["dog", "cat", "dog"], None, "label_repeated", "labels"),
        (["dog", "cat"], [], "prompt_template_missing", "prompt_template"),
        (["dog", "cat"], ["a dog"], "prompt_template_invalid", "prompt_template"),
        (["dog", "cat"], ["{label} {label}"], "prompt_template_invalid", "prompt_template"),
        (["dog", "cat"], ["{label}"] * 3, "prompt_template_too_many", "prompt_template"),
        (["dog", "cat"], ["{label}" + "x" * 20], "prompt_template_too_long", "prompt_template"),
    ],
)
def test_to_query_refuses_and_names_the_field(
    labels: list[str], templates: list[str] | None, code: str, field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        to_query(labels, templates, LIMITS)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.actual is not None or templates == []
