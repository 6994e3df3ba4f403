"""Tux Paint's stamps: cut-out photos and drawings, each with one English sentence.

They come from the Debian package tuxpaint-stamps-default (GPL-2; not redistributed), which apt
fetches and dpkg-deb unpacks without root. The label is the top-level folder.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from exporters.data.sources.packages import rasterise
from exporters.data.sources.source import SourceOptions, SourceRow, write_table
from exporters.errors import DownloadError, MissingRequirementError
from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGE: Final = "tuxpaint-stamps-default"
_STAMPS: Final = Path("usr/share/tuxpaint/stamps")
_MIRRORED: Final = ("_mirror", "_flip", "_mirror_flip")


class Options(SourceOptions):
    """Options of the source: the width of drawings, and how small a folder may be."""

    size_px: Annotated[int, Field(ge=32, le=1024)] = 256
    min_label_examples: Annotated[int, Field(ge=1)] = 20


def build(options: Options, folder: Path) -> None:
    """Collects the stamps that have an English sentence, and writes the table.

    Args:
        options: sizes; folders with fewer stamps than `min_label_examples` are left out.
        folder: an empty folder.

    Raises:
        MissingRequirementError: apt, dpkg-deb or resvg-py is not at hand.
        DownloadError: apt could not fetch the package.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        stamps = _unpack(Path(scratch)) / _STAMPS
        sentences = find_sentences(stamps)
        sizes = Counter(_label(stamp, stamps) for stamp in sentences)
        rows = []
        with progress("Collecting stamps", len(sentences)) as advance:
            for stamp, sentence in sentences.items():
                label = _label(stamp, stamps)
                if sizes[label] >= options.min_label_examples:
                    image = Path("images", stamp.relative_to(stamps)).with_suffix(".png")
                    _copy_image(stamp, folder / image, options.size_px)
                    rows.append(SourceRow(image.as_posix(), sentence, label))
                advance()
    write_table(rows, folder)


def find_sentences(stamps: Path) -> dict[Path, str]:
    """Finds each stamp, photo before drawing, and its sentence.

    A text file's first line is English; lines such as `de.utf8=...` follow. Mirrored copies of a
    stamp are its twins and are left out.
    """
    sentences = {}
    for text_file in sorted(stamps.rglob("*.txt")):
        stamp = next(
            (
                path
                for suffix in (".png", ".svg")
                if (path := text_file.with_suffix(suffix)).is_file()
            ),
            None,
        )
        sentence = text_file.read_text(encoding="utf-8").partition("\n")[0].strip()
        if stamp is not None and sentence and not stamp.stem.endswith(_MIRRORED):
            sentences[stamp] = sentence
    return sentences


def _label(stamp: Path, stamps: Path) -> str:
    return stamp.relative_to(stamps).parts[0]


def _copy_image(stamp: Path, target: Path, size_px: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if stamp.suffix == ".svg":
        target.write_bytes(rasterise(stamp, size_px))
    else:
        shutil.copyfile(stamp, target)


def _unpack(scratch: Path) -> Path:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise MissingRequirementError(
                tool,
                "the data source 'stamps'",
                "python -m exporters train openmoji (stamps needs Debian or Ubuntu)",
            )
    with progress(f"Fetching {_PACKAGE} (161 MB)", 2) as advance:
        _run(["apt-get", "download", _PACKAGE], scratch)
        advance()
        [archive] = scratch.glob(f"{_PACKAGE}_*.deb")
        _run(["dpkg-deb", "-x", archive.name, "unpacked"], scratch)
        advance()
    return scratch / "unpacked"


def _run(command: Sequence[str], folder: Path) -> None:
    outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        last_line = (outcome.stderr.strip().splitlines() or ["no message"])[-1]
        raise DownloadError(f"the Debian package '{_PACKAGE}'", last_line)
