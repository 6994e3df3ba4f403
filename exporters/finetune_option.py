"""The option `--finetune` of `train`, `evaluate` and `export`: a recipe with layers unfrozen.

--finetune 2               the last two layers of both encoders
--finetune all             all of both
--finetune text=2,image=0  each as it says; one that is not named stays as the recipe has it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from exporters.errors import FineTuneOptionError

if TYPE_CHECKING:
    from exporters.recipe import Recipe

_SIDES: Final = ("text", "image")


def with_finetune(recipe: Recipe, option: str | None) -> Recipe:
    """Returns the recipe as the option wants it; unchanged without one.

    Raises:
        FineTuneOptionError: the option is none of the three forms.
    """
    if option is None:
        return recipe
    layers: dict[str, int | Literal["all"]] = {}
    for part in option.split(","):
        side, equals, count = part.rpartition("=")
        is_known = side.strip() in _SIDES if equals else "," not in option
        if not is_known:
            raise FineTuneOptionError(option)
        for each in [side.strip()] if equals else _SIDES:
            layers[f"{each}_layers"] = _layers(option, count.strip())
    return recipe.model_copy(update={"finetune": recipe.finetune.model_copy(update=layers)})


def _layers(option: str, count: str) -> int | Literal["all"]:
    if count == "all":
        return "all"
    if not count.isdecimal():
        raise FineTuneOptionError(option)
    return int(count)
