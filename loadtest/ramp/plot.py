"""The picture of a run: how soon ramps end in each world, and what the tests are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure

from gateway.deciding.ramp import Action
from loadtest.ramp.methods import CHOSEN, LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from loadtest.ramp.methods import MethodFigures
    from loadtest.ramp.simulate import Run

_ENDS: Final = {
    "better by 0.03": Action.COMPLETE,
    "equal": Action.COMPLETE,
    "worse by the margin": Action.COMPLETE,
    "accuracy lower by 0.3": Action.ROLL_BACK,
    "1 of 10 answers slow": Action.ROLL_BACK,
    "fails in 3 of 10": Action.ROLL_BACK,
    "fails always": Action.ROLL_BACK,
}


def draw_ramps(
    path: Path, runs: Mapping[str, Sequence[Run]], methods: Mapping[str, MethodFigures]
) -> None:
    """Draws both and writes the file in one step.

    Args:
        path: of an SVG.
        runs: by scenario.
        methods: by name.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_ends(left, runs)
    _draw_methods(right, methods)
    scratch = path.with_name(f".{path.name}")
    figure.savefig(scratch, format="svg", metadata={"Date": None})
    scratch.replace(path)


def _draw_ends(axes: Axes, runs: Mapping[str, Sequence[Run]]) -> None:
    for name, end in _ENDS.items():
        of_it = runs[name]
        seconds = sorted(each.seconds for each in of_it if each.end is end)
        shares = np.arange(1, len(seconds) + 1) / len(of_it)
        axes.step(
            [1, *seconds, 480],
            [0, *shares, shares[-1] if len(shares) else 0],
            where="post",
            label=f"{name}: {'100 %' if end is Action.COMPLETE else 'rolled back'}",
            linestyle="-" if end is Action.COMPLETE else "--",
        )
    axes.set(xscale="log", xlim=(1, 480), ylim=(0, 1.02))
    axes.set(xlabel="seconds since the start", ylabel="share of the ramps")
    axes.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    axes.set_title("How ramps end", fontsize="medium")


def _draw_methods(axes: Axes, methods: Mapping[str, MethodFigures]) -> None:
    settings = list(next(iter(methods.values())).errs)
    height = 0.8 / len(settings)
    for row, setting in enumerate(settings):
        axes.barh(
            np.arange(len(methods)) + (row - 1) * height,
            [each.errs[setting] for each in methods.values()],
            height,
            label=setting,
        )
    axes.axvline(LEVEL, color="black", linewidth=0.8, linestyle=":")
    labels = [f"{name} *" if name == CHOSEN else name for name in methods]
    axes.set_yticks(np.arange(len(methods)), labels, fontsize="x-small")
    axes.invert_yaxis()
    axes.set_xlabel("equal arms called different (dotted: 5 %)", fontsize="small")
    axes.legend(fontsize="x-small")
    axes.set_title("Looked at after every label", fontsize="medium")
