"""The methods, one file each, and their registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.compression.methods import distil, half, low_rank, structure, weights
from exporters.compression.methods.int8 import dynamic, static, symmetric

if TYPE_CHECKING:
    from exporters.compression.method import GraphMethod, ModuleMethod

METHODS: Final[dict[str, GraphMethod | ModuleMethod]] = {
    module.METHOD.name: module.METHOD
    for module in (static, symmetric, dynamic, half, low_rank, structure, weights, distil)
}
"""By the name that a step calls them."""
