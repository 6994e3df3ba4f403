"""Works out the exact list of packages of each image from pyproject.toml and constraints.txt.

An image installs its list and nothing else, so that what was tested is what runs, and a new
dependency shows as a line in a review. `python -m deploy.docker` writes the lists; a test holds
them.
"""

from __future__ import annotations

import tomllib
from collections import deque
from importlib.metadata import requires
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

EXTRAS: Final = {
    # All that its settings can switch on: a pod whose settings ask for more does not start.
    "gateway": ("gateway", "capture", "tracing"),
    "exporters": ("exporters",),
    "triton": ("serving",),
}
"""Which of the project's extras each image is made of."""

_PROJECT: Final = "diptych"
_HEADER: Final = """\
# Written by `python -m deploy.docker`: all packages of the image, with those that they need.
"""


def package_list(image: str, root: Path) -> str:
    """Returns the text of an image's list: one pinned package a line, sorted.

    What a package needs is read from its installed metadata, on the machine that asks; a test
    installs the list into a fresh environment.

    Args:
        image: a key of `EXTRAS`.
        root: the repository.

    Raises:
        KeyError: a package that is needed has no pin in constraints.txt.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = _pins((root / "constraints.txt").read_text(encoding="utf-8").splitlines())
    names = _closure(EXTRAS[image], project["optional-dependencies"])
    return _HEADER + "".join(f"{pins[name]}\n" for name in sorted(names))


def _pins(lines: Iterable[str]) -> dict[str, str]:
    pinned = (line.strip() for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(line.partition("==")[0]): line for line in pinned}


def _closure(begun: Iterable[str], extras: Mapping[str, list[str]]) -> set[str]:
    """Follows requirements from extras of the project to all packages they come to."""
    waiting = deque((Requirement(line), "") for extra in begun for line in extras[extra])
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted, of_extra = waiting.popleft()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(wanted.name)
        for each in ("", *wanted.extras):
            if (name, each) in seen:
                continue
            seen.add((name, each))
            if name == _PROJECT:
                waiting.extend((Requirement(line), "") for line in extras.get(each, ()))
            else:
                waiting.extend((Requirement(line), each) for line in requires(name) or ())
    return {name for name, _ in seen if name != _PROJECT}
