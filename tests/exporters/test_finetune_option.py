from __future__ import annotations

import pytest

from exporters.errors import FineTuneOptionError
from exporters.finetune_option import with_finetune
from exporters.recipe import load_recipe


@pytest.mark.parametrize(
    ("option", "layers"),
    [
        (None, (0, 0)),
        ("2", (2, 2)),
        ("all", ("all", "all")),
        ("text=1", (1, 0)),
        ("text=all, image=3", ("all", 3)),
    ],
)
def test_with_finetune_takes_each_form(option: str | None, layers: tuple[int | str, ...]) -> None:
    settings = with_finetune(load_recipe("openmoji"), option).finetune

    assert (settings.text_layers, settings.image_layers) == layers


@pytest.mark.parametrize("option", ["", "some", "-1", "1,2", "head=1", "text=", "text=1,2", "1.5"])
def test_with_finetune_refuses_what_it_does_not_take_and_shows_the_forms(option: str) -> None:
    with pytest.raises(FineTuneOptionError) as raised:
        with_finetune(load_recipe("openmoji"), option)

    assert "text=2,image=0" in raised.value.remedy
