"""What a check finds in a rendered chart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: what found it.
        subject: kind and name of the object, or a file.
        what: the fault, as a sentence without a full stop.
    """

    check: str
    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.subject}: {self.what}."
