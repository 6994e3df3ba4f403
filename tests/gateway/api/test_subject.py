from __future__ import annotations

import pytest

from gateway.api.subject import merged, subject_of
from gateway.errors import MalformedRequestError
from gateway.routing.subject import Subject


def test_subject_of_reads_headers_and_passes_over_others() -> None:
    said: list[tuple[str, str]] = [
        ("host", "x"),
        ("diptych-unit", "user-1"),
        ("diptych-meta-country", "de"),
        ("diptych-priority", "batch"),
    ]
    subject = subject_of(said, "r1", "key-1")
    assert (subject.unit, subject.metadata) == ("user-1", {"country": "de"})
    assert (subject.request_id, subject.key_id) == ("r1", "key-1")


def test_merged_fields_count_before_headers() -> None:
    subject = subject_of([("diptych-unit", "a"), ("diptych-meta-x", "1")], "r1", None)
    mixed = merged(subject, "b", {"X": "2", "y": "3"})
    assert (mixed.unit, mixed.metadata) == ("b", {"x": "2", "y": "3"})


@pytest.mark.parametrize(
    ("unit", "metadata", "code"),
    [
        ("", None, "unit_invalid"),
        ("u" * 257, None, "unit_invalid"),
        (None, {"a b": "x"}, "metadata_name_invalid"),
        (None, {"": "x"}, "metadata_name_invalid"),
        (None, {"a": "x" * 257}, "metadata_value_too_long"),
        (None, {f"a{n}": "x" for n in range(17)}, "metadata_too_many"),
    ],
)
def test_merged_out_of_range_is_refused(
    unit: str | None, metadata: dict[str, str] | None, code: str
) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        merged(Subject("r1"), unit, metadata)
    assert raised.value.code == code
