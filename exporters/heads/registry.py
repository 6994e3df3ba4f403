"""Fusion heads by name. A new head is one new file in this folder: nothing else is edited."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporters.heads.fusion import FusionHead

HEADS: Final[dict[str, type[FusionHead]]] = {}
"""Every registered head; `head.type` of a recipe is one of these names."""

Head = TypeVar("Head", bound="FusionHead")


def fusion_head(name: str) -> Callable[[type[Head]], type[Head]]:
    """Registers the decorated class as the head `name` of recipes.

    Raises:
        ValueError: another class has that name.
    """

    def register(head: type[Head]) -> type[Head]:
        if name in HEADS:
            message = f"fusion head '{name}' is {HEADS[name].__module__} already"
            raise ValueError(message)
        HEADS[name] = head
        return head

    return register


def import_heads(package: str, folders: Iterable[str]) -> None:
    """Imports all modules of a package, so that the heads in them register themselves.

    The modules come in alphabetical order, and so do the names in `HEADS`.
    """
    for module in pkgutil.iter_modules(folders):
        importlib.import_module(f"{package}.{module.name}")
