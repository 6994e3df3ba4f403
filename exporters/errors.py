"""Everything that can go wrong with a recipe, its data or its run, and what to do about it.

    ExporterError
    ├── RecipeError
    │   ├── RecipeNotFoundError      no such file and no such name
    │   ├── UnknownRecipeKeyError    a key that no section knows
    │   └── InvalidRecipeError       a known key with a value that it does not take
    ├── UnknownNameError             a name that a registry (heads, data sources) does not hold
    ├── MissingRequirementError      a package or a system tool that is not installed
    ├── DownloadError                a data set or a checkpoint could not be fetched
    ├── EncoderError                 a checkpoint that cannot be used as it is
    ├── ComparisonError              recipes that cannot be compared with each other
    ├── NotAClassifierError          a recipe of a dual tower where a head is wanted
    ├── SequencesTooLargeError       sequences of a table that would fill the disk
    ├── FineTuneOptionError          a value that --finetune does not take
    ├── NotTrainedError              asked for a head that was not trained yet
    ├── NoDriftReferenceError        a variant that was not published with a drift reference
    ├── CaptureError                 captured answers that cannot be read, or too few of them
    └── EmptyRepositoryError         a model repository without a model

Errors carry fields. `str(error)` is one sentence, `remedy` is what the user can do; the command
line prints both and nothing else. What only one package meets stands in its own `errors`: data,
conversion, compression, retraining, publishing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ExporterError(Exception):
    """Base of all errors that a user can cause and cure."""

    @property
    def remedy(self) -> str:
        """One sentence that says what to do next."""
        return "See the message above."


class RecipeError(ExporterError):
    """A recipe that cannot be used."""


# Not frozen: Python itself writes `__traceback__` on an error. `eq=False` keeps errors hashable.
@dataclass(eq=False)
class RecipeNotFoundError(RecipeError):
    """Neither a file nor the name of a recipe that is shipped."""

    name: str
    shipped: Sequence[str]

    def __str__(self) -> str:
        return f"There is no recipe '{self.name}'."

    @property
    def remedy(self) -> str:
        """Lists the recipes that are shipped."""
        return f"Give the path of a TOML file, or one of: {', '.join(self.shipped)}."


@dataclass(eq=False)
class UnknownRecipeKeyError(RecipeError):
    """A key that its section does not know; `section` is empty for the top level."""

    recipe: str
    section: str
    key: str
    nearest: str | None
    known: Sequence[str]

    def __str__(self) -> str:
        place = f"section [{self.section}]" if self.section else "the top level"
        return f"Recipe '{self.recipe}': {place} has no key '{self.key}'."

    @property
    def remedy(self) -> str:
        """Names the nearest known key, or all of them when none is near."""
        if self.nearest is not None:
            return f"Did you mean '{self.nearest}'?"
        return f"It knows: {', '.join(self.known)}."


@dataclass(eq=False)
class InvalidRecipeError(RecipeError):
    """A value that its key does not take, or a file that is not TOML (`key` is then empty)."""

    recipe: str
    key: str
    reason: str

    def __str__(self) -> str:
        place = f", key '{self.key}'" if self.key else ""
        return f"Recipe '{self.recipe}'{place}: {self.reason}."

    @property
    def remedy(self) -> str:
        """Says which line to change."""
        return f"Change '{self.key}' in the recipe." if self.key else "Correct the recipe."


@dataclass(eq=False)
class UnknownNameError(ExporterError):
    """A name that is not registered; `kind` says where, for example `fusion head`."""

    kind: str
    name: str
    known: Sequence[str]

    def __str__(self) -> str:
        return f"There is no {self.kind} '{self.name}'."

    @property
    def remedy(self) -> str:
        """Lists the registered names."""
        return f"Use one of: {', '.join(self.known)}."


@dataclass(eq=False)
class MissingRequirementError(ExporterError):
    """A package or tool that is not installed; `install` is the command that cures it."""

    requirement: str
    needed_for: str
    install: str

    def __str__(self) -> str:
        return f"'{self.requirement}' is not installed; {self.needed_for} needs it."

    @property
    def remedy(self) -> str:
        """Gives the command that installs it."""
        return f"Run: {self.install}"


@dataclass(eq=False)
class DownloadError(ExporterError):
    """Something that could not be fetched; `reason` is the last line the tool printed."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"Could not fetch {self.what}: {self.reason}."

    @property
    def remedy(self) -> str:
        """Asks for the network."""
        return "Check the network connection and run the command again."


@dataclass(eq=False)
class EncoderError(ExporterError):
    """A checkpoint that cannot be used as it is."""

    encoder: str
    reason: str

    def __str__(self) -> str:
        return f"Encoder '{self.encoder}': {self.reason}."

    @property
    def remedy(self) -> str:
        """Points to the recipe's encoder sections."""
        return "Name another checkpoint in the recipe's [text_encoder] or [image_encoder]."


@dataclass(eq=False)
class ComparisonError(ExporterError):
    """Recipes that cannot be compared with each other."""

    recipes: Sequence[str]
    reason: str

    def __str__(self) -> str:
        return f"Recipes {', '.join(self.recipes)} cannot be compared: {self.reason}."

    @property
    def remedy(self) -> str:
        """Says what recipes of one comparison share."""
        return "Give recipes with the same [data] and with names of their own."


@dataclass(eq=False)
class NotAClassifierError(ExporterError):
    """A recipe of a dual tower where a head is wanted."""

    recipe: str

    def __str__(self) -> str:
        return f"Recipe '{self.recipe}' has [dual_tower]: there is no head to train."

    @property
    def remedy(self) -> str:
        """Gives the command for dual towers."""
        return (
            f"Run: python -m exporters align {self.recipe}. Or take [dual_tower] out. `export` "
            "publishes a dual tower for the target `embedded`."
        )


@dataclass(eq=False)
class SequencesTooLargeError(ExporterError):
    """Sequences of a table's examples that would take more disk than is allowed."""

    kind: str
    examples: int
    positions: int
    gib: float
    limit_gib: float
    is_disk_full: bool = False

    def __str__(self) -> str:
        limit = "free on the disk" if self.is_disk_full else "allowed"
        return (
            f"The {self.kind} sequences of {self.examples} examples, {self.positions} positions "
            f"each, take {self.gib:.1f} GiB, more than the {self.limit_gib:.3g} GiB {limit}."
        )

    @property
    def remedy(self) -> str:
        """Names what makes them smaller."""
        return (
            f"{'Make room, t' if self.is_disk_full else 'T'}rain on fewer examples, lower "
            "text_encoder.max_tokens, take an image encoder with fewer cells, or name heads of "
            "pooled features alone, such as `gated`."
        )


@dataclass(eq=False)
class FineTuneOptionError(ExporterError):
    """A value that the option --finetune does not take."""

    value: str

    def __str__(self) -> str:
        return f"--finetune does not take '{self.value}'."

    @property
    def remedy(self) -> str:
        """Shows the forms that it takes."""
        return "Give a number of layers, `all`, or one for each encoder: text=2,image=0."


@dataclass(eq=False)
class NotTrainedError(ExporterError):
    """No trained head or dual tower for this recipe, data and code in the workspace."""

    recipe: str
    workspace: Path
    command: str = "train"

    def __str__(self) -> str:
        return f"Recipe '{self.recipe}' is not trained in workspace '{self.workspace}'."

    @property
    def remedy(self) -> str:
        """Gives the command that trains it."""
        return f"Run: python -m exporters {self.command} {self.recipe} --workspace {self.workspace}"


@dataclass(eq=False)
class NoDriftReferenceError(ExporterError):
    """No published variant of that name has a drift reference."""

    variant: str
    repository: Path

    def __str__(self) -> str:
        return f"No variant '{self.variant}' with a drift reference is in '{self.repository}'."

    @property
    def remedy(self) -> str:
        """Says how to get one."""
        return (
            "Name a published variant, and its repository with --model-repository; one that was "
            "published before references were is exported again."
        )


@dataclass(eq=False)
class CaptureError(ExporterError):
    """Captured answers cannot be used; `reason` says why."""

    folder: Path
    reason: str

    def __str__(self) -> str:
        return f"The capture '{self.folder}' cannot be used: {self.reason}."

    @property
    def remedy(self) -> str:
        """Says where captures come from."""
        return (
            "Name the folder of a gateway's DIPTYCH_GATEWAY_CAPTURE_FOLDER; more answers come with "
            "time, a longer --since or a larger DIPTYCH_GATEWAY_CAPTURE_RATIO."
        )


@dataclass(eq=False)
class EmptyRepositoryError(ExporterError):
    """A model repository that is not there, or holds no model."""

    folder: Path

    def __str__(self) -> str:
        return f"There is no model in '{self.folder}'."

    @property
    def remedy(self) -> str:
        """Names the command that fills it, and the option that names another."""
        return "Run `python -m exporters export RECIPE`, or name another with --model-repository."
