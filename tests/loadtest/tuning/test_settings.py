from __future__ import annotations

import pytest

from exporters.recipe_sections import TargetRecipe
from loadtest.tuning.errors import SettingValueError, UnknownSettingError
from loadtest.tuning.settings import Axis, changes, count_candidates, named_axes, usual_axes


def test_usual_axes_give_no_encoder_more_threads_than_there_are_cores() -> None:
    for cores in (1, 2, 6, 32):
        instances_and_threads = usual_axes(cores)[0].values
        assert max(instances * threads for instances, threads in instances_and_threads) <= cores
        assert (1, 1) in instances_and_threads


def test_named_axes_take_what_belongs_together_as_one() -> None:
    axes = named_axes(["text_threads=1,2", "image_batch= 2 , 4", "text_instances=1,2"])

    assert axes == (
        Axis(("text_instances", "text_threads"), ((1, 1), (1, 2), (2, 1), (2, 2))),
        Axis(("image_batch",), ((2,), (4,))),
    )


def test_count_includes_the_current_setting_where_no_axis_has_it() -> None:
    axes = named_axes(["image_batch=2,8", "text_batch=16"])

    assert count_candidates(axes, TargetRecipe()) == 3  # image_batch 2, 4 and 8


def test_changes_name_what_differs() -> None:
    assert changes(TargetRecipe(text_batch=8), TargetRecipe()) == "text_batch 8"
    assert changes(TargetRecipe(), TargetRecipe()) == "as it is"


def test_unknown_setting_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownSettingError, match="image_delay_us"):
        named_axes(["image_dleay_us=1"])


@pytest.mark.parametrize("values", ["", "0", "2,four", "2.5", "5000"])
def test_value_that_a_setting_does_not_take_is_refused_by_name(values: str) -> None:
    with pytest.raises(SettingValueError, match="--try image_batch"):
        named_axes([f"image_batch={values}"])
