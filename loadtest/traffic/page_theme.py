"""Pictures within a page that follow its light or dark theme.

matplotlib knows no CSS. It draws in colours that stand for variables of the page, which take their
place in the SVG; what is drawn nowhere (the ground) is transparent.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import matplotlib as mpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

INK: Final = "#000101"
GRID: Final = "#000102"
RIGHT: Final = "#000103"
REFUSED: Final = "#000104"
FAILED: Final = "#000105"
INVALID: Final = "#000106"
MISSING: Final = "#000107"
LINE: Final = "#000108"
LIMIT: Final = "#000109"
OTHER: Final = "#00010a"
_VARIABLES: Final = {
    INK: "ink",
    GRID: "grid",
    RIGHT: "right",
    REFUSED: "refused",
    FAILED: "failed",
    INVALID: "invalid",
    MISSING: "missing",
    LINE: "line",
    LIMIT: "limit",
    OTHER: "other",
}


@contextmanager
def themed() -> Iterator[None]:
    """Draws text and axes in the page's ink, on no ground, text as text."""
    with mpl.rc_context(
        {
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "grid.color": GRID,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.fonttype": "none",
        }
    ):
        yield


def inline_svg(figure: Figure, title: str) -> str:
    """Returns a figure as SVG for a page, in the page's colours.

    Args:
        figure: drawn under `themed`, in colours of this module.
        title: what it shows, for those who do not see it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]  # within a page, without the XML declaration
    for colour, name in _VARIABLES.items():
        drawn = drawn.replace(colour, f"var(--{name})")
    return drawn.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
