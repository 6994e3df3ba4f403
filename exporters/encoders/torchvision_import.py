"""Lets torchvision be imported beside a CPU build of torch, for timm, which imports it.

torchvision is a Python part and a compiled one. The wheels of its usual index are compiled for
torch with CUDA, and beside another torch the compiled part does not load. torchvision goes on
without it, up to the line where it describes two operators of that part to torch, which does not
know them (torchvision 0.28, `_meta_registrations.py`). Image models and transforms use neither.

transformers imports torchvision wherever it is installed, so whoever is about to import one of the
three calls this first.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final

_OPERATORS: Final = ("nms", "qnms")
_SCHEMA: Final = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def make_torchvision_importable() -> Any:  # noqa: ANN401  # torch ships no public type for it
    """Declares torchvision's operators where its compiled part cannot.

    Returns:
        The declarations, which hold as long as they are kept (the cache keeps them); None where
        torchvision is not installed, or needs no help.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    import torch

    if _has_operators(Path(spec.origin).parent):
        return None
    # torch ships these methods untyped.
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in _OPERATORS:
        library.define(name + _SCHEMA)  # type: ignore[no-untyped-call]
    return library


def _has_operators(package: Path) -> bool:
    """Whether torchvision's compiled part loads, as torchvision itself will load it."""
    import torch

    for file in sorted(package.glob("_C*.so")):
        try:
            torch.ops.load_library(file)  # type: ignore[no-untyped-call] # ships untyped
        except OSError:  # another torch than it was compiled for, or no CUDA libraries
            continue
    return all(hasattr(torch.ops.torchvision, name) for name in _OPERATORS)
