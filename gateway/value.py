"""Values that each request makes, and nobody changes.

A frozen dataclass refuses a change while the program runs, and pays for it when a value is made:
each field is set by a call of `object.__setattr__`. A request makes some forty values, with a
hundred and fifty fields; that was a twentieth of the gateway's CPU time for a client that asks
alone. Here it is the type checker who refuses the change (PEP 681), and `make check` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """Makes a class a dataclass with slots, equality and a hash, frozen for the type checker."""
    return dataclass(slots=True, unsafe_hash="__hash__" not in cls.__dict__)(cls)
