"""What the shipped sources take from optional packages: import or remedy, and drawings as PNG."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from exporters.errors import MissingRequirementError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

_INSTALL: Final = "pip install --no-deps -r exporters/recipes/demo-requirements.txt"


def require(module: str, distribution: str) -> ModuleType:
    """Imports an optional module.

    Raises:
        MissingRequirementError: its distribution is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingRequirementError(distribution, "the data source", _INSTALL) from error


def rasterise(svg: Path, size_px: int) -> bytes:
    """Draws an SVG file on a white ground, `size_px` wide, as a PNG file.

    System fonts are left alone, so that the picture is the same on every machine.

    Raises:
        MissingRequirementError: resvg-py is not installed.
    """
    resvg = require("resvg_py", "resvg-py")
    png = resvg.svg_to_bytes(
        svg_path=str(svg),
        width=size_px,
        background="white",
        skip_system_fonts=True,
        dpi=96.0,  # CSS's pixel; resvg-py 0.5.0 has 0 by default and refuses sizes in millimetres
    )
    return bytes(png)
