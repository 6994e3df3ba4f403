"""The methods, one file each, and their registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.compression.methods import dynamic_int8, half, static_int8

if TYPE_CHECKING:
    from exporters.compression.method import GraphMethod, ModuleMethod

METHODS: Final[dict[str, GraphMethod | ModuleMethod]] = {
    module.METHOD.name: module.METHOD for module in (static_int8, dynamic_int8, half)
}
"""By the name that a step calls them."""
