"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporters.doctor.machine import Machine
    from exporters.doctor.model_repository import ModelRepository


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Triton refuses the model, the gateway routes to nothing, or answers are not those proved."""

    WARNING = "warning"
    """It serves, and fails or slows down under load, or on another machine."""


@dataclass(frozen=True)
class Fault:
    """One place where a rule is broken.

    Attributes:
        model: name of the model.
        reason: one sentence: what stands there and what follows from it.
        remedy: one sentence: what to do.
    """

    model: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Site:
    """What rules look at: a model repository, and the machine that is to serve it."""

    repository: ModelRepository
    machine: Machine


@dataclass(frozen=True)
class Rule:
    """One thing that goes wrong in production.

    Attributes:
        code: stable identifier, for example `queue-unlimited`.
        severity: how bad each of its findings is.
        summary: what it finds, for the documentation.
        find: looks for it.
    """

    code: str
    severity: Severity
    summary: str
    find: Callable[[Site], Iterator[Fault]]


@dataclass(frozen=True)
class Finding:
    """A fault with the code and severity of its rule."""

    code: str
    severity: Severity
    model: str
    reason: str
    remedy: str
