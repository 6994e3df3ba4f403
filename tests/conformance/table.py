"""The committed table of comparisons."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance.comparison import LEAST_SPREAD, RELATIVE_TOLERANCE, TARGET
from tests.readme_tables import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conformance.cases import Case
    from tests.conformance.comparison import Comparison
    from tests.conformance.timm_cases import TimmCase

FILE = Path(__file__).parents[2] / "exporters" / "CONFORMANCE.md"

_TEXT = """# Conformance of the encoder families

`make conformance` builds each family as a small random checkpoint in a local folder (safetensors,
tokenizer, processor config), exports it as `exporters export` does, serves it on the bundled Triton
and asks it with JPEG files and raw texts. The other side is transformers alone: its model, its
tokenizer and its PIL image processor on the same files and texts, one at a time; of "timm" rows it
is timm's own model and transform, in a process that has timm. "Largest difference" is that of any
component of a pooled feature. A row is *equal* when it is at most {tolerance:.0e} of the largest
component (or of 1), and when features move by at least {spread:.1f} between samples: a feature that
hardly listens to its input would prove nothing.

Last run with transformers {transformers} and onnxruntime {onnxruntime}:

{rows}

The test suite runs every third family, by turns: the third is the day of the calendar (UTC) modulo
three, and the tests' names say which it was. `DIPTYCH_CONFORMANCE_THIRD=0` (or 1, 2) fixes it.
"""


def first_cells(case: Case | TimmCase) -> tuple[str, str, str]:
    """What of a row is known before anything is run."""
    return (case.model_type, f"{case.modality}, {case.size}", TARGET)


def render(comparisons: Iterable[Comparison]) -> str:
    """The whole page."""
    rows = (
        (
            *first_cells(each.case),
            str(each.samples),
            f"{each.spread:.2f}",
            f"{each.difference:.1e}",
            "equal" if each.is_equal else "**differs**",
        )
        for each in comparisons
    )
    header = ("family", "input", "target", "samples", "spread", "largest difference", "verdict")
    return _TEXT.format(
        tolerance=RELATIVE_TOLERANCE,
        spread=LEAST_SPREAD,
        transformers=version("transformers"),
        onnxruntime=version("onnxruntime"),
        rows=table(header, rows),
    )
