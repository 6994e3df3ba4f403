from __future__ import annotations

import pytest

from exporters.compression import parse_steps
from exporters.compression.errors import InvalidStepError
from exporters.compression.run import default_name
from exporters.compression.side import Side
from exporters.compression.step import steps_of
from exporters.errors import UnknownNameError


def test_step_without_a_side_goes_to_every_encoder_of_its_method() -> None:
    static, dynamic = (parse_steps([text])[0] for text in ("int8", "int8-dynamic"))

    assert static.sides == (Side.TEXT, Side.IMAGE)
    assert dynamic.sides == (Side.TEXT,)


@pytest.mark.parametrize("text", ["int8", "int8@image:leave_out=2", "fp16@text"])
def test_step_is_written_as_it_was_read(text: str) -> None:
    [step] = parse_steps([text])

    assert str(step) == text


def test_setting_that_is_the_default_leaves_the_step_as_it_is() -> None:
    [plain], [spelt_out] = parse_steps(["int8"]), parse_steps(["int8:leave_out=0"])

    assert spelt_out == plain
    assert plain.values["leave_out"] == 0


def test_steps_of_one_side_leave_out_those_of_the_other() -> None:
    steps = parse_steps(["int8@image", "fp16@text"])

    assert [step.method for step in steps_of(steps, Side.TEXT)] == ["fp16"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("int8@sound", "int8@text or int8@image"),
        ("int8-dynamic@image", "int8-dynamic@text"),
        ("int8:keep=1", "samples"),
        ("int8:samples=many", "samples"),
        ("int8:samples=1", "8 to 4096"),
        ("int8:samples=9.5", "a whole number"),
    ],
)
def test_step_that_its_method_does_not_take_is_refused_with_what_it_takes(
    text: str, told: str
) -> None:
    with pytest.raises(InvalidStepError) as caught:
        parse_steps([text])

    assert caught.value.step == text
    assert told in caught.value.remedy


def test_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError) as caught:
        parse_steps(["int7"])

    assert "int8" in caught.value.known


def test_two_precisions_for_one_graph_are_refused() -> None:
    with pytest.raises(InvalidStepError, match="one precision"):
        parse_steps(["int8", "fp16@image"])


def test_default_name_says_the_methods_and_the_side() -> None:
    steps = parse_steps(["fp16@text", "int8@image:leave_out=2"])

    assert default_name("demo", steps) == "demo-fp16-text-int8-image"
