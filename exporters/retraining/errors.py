"""What can go wrong with a retraining.

ExporterError
└── RetrainingError
├── RetrainingRunsError      another retraining of the recipe is at work
├── NotRetrainableError      a recipe, or a live variant, that retraining does not take
├── LiveVariantError         the live variant is not in the model repository
├── FeedbackDatabaseError    the database cannot be read
├── TooLittleFeedbackError   too few labelled predictions were captured
├── WorseCandidateError      the candidate may be worse than what serves
└── RegistrationError        the gateway did not take the candidate
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.errors import ExporterError

if TYPE_CHECKING:
    from pathlib import Path


class RetrainingError(ExporterError):
    """A retraining that made no candidate, or did not register it."""


@dataclass(eq=False)
class RetrainingRunsError(RetrainingError):
    """Two at once would fit the same candidate twice, and each pushes the other's rules out."""

    recipe: str
    file: Path

    def __str__(self) -> str:
        return f"Another retraining of '{self.recipe}' is at work in this workspace."

    @property
    def remedy(self) -> str:
        """Says who."""
        return (
            f"Wait for it, or end it; it holds a lock on '{self.file}'. A schedule (--every) tries "
            "again by itself."
        )


@dataclass(eq=False)
class NotRetrainableError(RetrainingError):
    """Pooled features of one task of one label are what is captured, joined and fitted again."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"'{self.name}' cannot be retrained from feedback: {self.reason}."

    @property
    def remedy(self) -> str:
        """Says what can be retrained."""
        return (
            "Name a recipe with frozen encoders, a head of pooled features and one set of labels, "
            "and with --live a variant of it that is not compressed."
        )


@dataclass(eq=False)
class LiveVariantError(RetrainingError):
    """The variant that the candidate is to be compared with is not there."""

    variant: str
    repository: Path

    def __str__(self) -> str:
        return f"No live variant '{self.variant}' is in '{self.repository}'."

    @property
    def remedy(self) -> str:
        """Names the options."""
        return (
            "Name the variant that serves with --live, and the folder that Triton serves from with "
            "--model-repository."
        )


@dataclass(eq=False)
class FeedbackDatabaseError(RetrainingError):
    """The database of the feedback; `reason` is the driver's and names no password."""

    reason: str

    def __str__(self) -> str:
        return f"The feedback cannot be read: {self.reason}."

    @property
    def remedy(self) -> str:
        """Names the setting."""
        return "Give the gateway's database in DIPTYCH_GATEWAY_DATABASE_URL, or with --database."


@dataclass(eq=False)
class TooLittleFeedbackError(RetrainingError):
    """Joined examples, or held-out ones among them, that are too few; with what was left out."""

    found: int
    needed: int
    what: str
    left_out: str

    def __str__(self) -> str:
        return (
            f"There are {self.found} {self.what}, and {self.needed} are needed ({self.left_out})."
        )

    @property
    def remedy(self) -> str:
        """Says where more come from."""
        return (
            "Wait for more feedback, take a longer --since, or capture more "
            "(DIPTYCH_GATEWAY_CAPTURE_RATIO). Nothing was published."
        )


@dataclass(eq=False)
class WorseCandidateError(RetrainingError):
    """The candidate may lose more than is accepted; `sentence` has the figures."""

    sentence: str
    report: Path

    def __str__(self) -> str:
        return f"The candidate is refused: {self.sentence}"

    @property
    def remedy(self) -> str:
        """Names the report."""
        return f"Nothing was published; what serves goes on. Read {self.report}."


@dataclass(eq=False)
class RegistrationError(RetrainingError):
    """The gateway did not take the experiment or the shadow; the candidate is published."""

    target: str
    reason: str
    file: Path

    def __str__(self) -> str:
        return f"The gateway did not register {self.target}: {self.reason}."

    @property
    def remedy(self) -> str:
        """Names the file with the same rules."""
        return (
            f"The candidate is published and gets no traffic. Register it by hand: {self.file} "
            "holds the rules, for the admin API or the experiments file."
        )
