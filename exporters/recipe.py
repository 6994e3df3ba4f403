"""The recipe: one TOML file that says everything about a variant.

Encoders, data, head, training, target and seed are named here and nowhere else; nothing in it can
be given by an environment variable. `load_recipe` reads and checks it; the module
`recipe_reference` lists every key for the documentation. What the names mean (which heads, which
data sources) is known to their registries, not to this file.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, get_args

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    model_validator,
)

from exporters.digests import digest_of_json
from exporters.errors import InvalidRecipeError, RecipeNotFoundError, UnknownRecipeKeyError
from exporters.recipe_sections import (
    DataRecipe,
    DualTowerRecipe,
    FineTuneRecipe,
    HeadRecipe,
    ImageEncoderRecipe,
    Section,
    TargetRecipe,
    TaskRecipe,
    TextEncoderRecipe,
    TrainingRecipe,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SHIPPED_RECIPES: Final = Path(__file__).parent / "recipes"


class Recipe(Section):
    """All that makes a variant."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = Field(
        description="name of the variant: lower-case letters, digits, - and _"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="the same seed gives the same split and the same head"
    )
    data: DataRecipe = Field(description="where the examples come from")
    text_encoder: TextEncoderRecipe = Field(description="the frozen text encoder")
    image_encoder: ImageEncoderRecipe = Field(description="the frozen image encoder")
    tasks: tuple[TaskRecipe, ...] = Field(
        default=(), description="sets of labels, each a [[tasks]]; without any, there is one"
    )
    head: HeadRecipe = Field(default=HeadRecipe(), description="the fusion head")
    dual_tower: DualTowerRecipe | None = Field(
        None, description="makes a dual tower for zero-shot classification instead of a head"
    )
    training: TrainingRecipe = Field(default=TrainingRecipe(), description="how the head is fitted")
    finetune: FineTuneRecipe = Field(
        default=FineTuneRecipe(), description="which layers of the encoders are trained too"
    )
    target: TargetRecipe = Field(default=TargetRecipe(), description="what it is exported for")

    @model_validator(mode="after")
    def _tunes_what_is_tuned(self) -> Recipe:
        if self.dual_tower is not None and self.finetune.is_on:
            message = "[dual_tower] takes frozen encoders; take [finetune] out"
            raise ValueError(message)
        if self.dual_tower is not None and self.tasks:
            message = "[dual_tower] takes its labels from data.label_column; take [[tasks]] out"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _has_tasks_that_agree(self) -> Recipe:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            message = "two tasks have the same name"
            raise ValueError(message)
        if self.tasks and self.data.model_fields_set & {"label_column", "labels"}:
            message = "with [[tasks]], columns and labels are given there, not under [data]"
            raise ValueError(message)
        return self

    @property
    def asked(self) -> tuple[TaskRecipe, ...]:
        """The tasks; of a recipe without any, the one that its [data] section means."""
        return self.tasks or (self.data.only_task,)

    @property
    def recipe_digest(self) -> str:
        """SHA-256 (64 hex digits) of the resolved recipe, defaults included."""
        return digest_of_json(self.model_dump(mode="json"))

    @property
    def training_digest(self) -> str:
        """SHA-256 of what training reads: a change of `target` trains nothing anew."""
        return digest_of_json(self.model_dump(mode="json", exclude={"name", "target"}))


def load_recipe(name_or_path: str) -> Recipe:
    """Reads a recipe by the name of a shipped one or by the path of a TOML file.

    Relative paths in a recipe are relative to the recipe's own folder.

    Raises:
        RecipeNotFoundError: there is no such name and no such file.
        UnknownRecipeKeyError: a key is unknown; the error names the nearest known one.
        InvalidRecipeError: the file is not TOML, or a value is not one its key takes.
    """
    path = _find_recipe(name_or_path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRecipeError(path.stem, "", f"it is not TOML: {error}") from error
    try:
        return Recipe.model_validate(content, context={"folder": path.parent})
    except ValidationError as error:
        raise _as_recipe_error(path.stem, error.errors()) from error


def _find_recipe(name_or_path: str) -> Path:
    shipped = {path.stem: path for path in sorted(SHIPPED_RECIPES.glob("*.toml"))}
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path.resolve()
    raise RecipeNotFoundError(name_or_path, tuple(shipped))


def _as_recipe_error(
    recipe: str, problems: list[ErrorDetails]
) -> UnknownRecipeKeyError | InvalidRecipeError:
    # A misspelt key also makes the right one missing: the unknown key is the more helpful message.
    problem = min(problems, key=lambda each: each["type"] != "extra_forbidden")
    location = [str(part) for part in problem["loc"]]
    if problem["type"] != "extra_forbidden":
        reason = problem["msg"].removeprefix("Value error, ")
        return InvalidRecipeError(recipe, ".".join(location), reason[0].lower() + reason[1:])
    *sections, key = location
    section: type[BaseModel] = Recipe
    for name in (name for name in sections if not name.isdecimal()):  # one of a list has a number
        section = section_model(section, name) or section
    known = tuple(section.model_fields)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return UnknownRecipeKeyError(recipe, ".".join(sections), key, near[0] if near else None, known)


def section_model(parent: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Returns the model of the section under `key`, or None when `key` holds a plain value.

    Of a list of sections it is the model of each.
    """
    annotation = parent.model_fields[key].annotation
    # A section that may be left out is a union with None, and a list of sections a tuple.
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
