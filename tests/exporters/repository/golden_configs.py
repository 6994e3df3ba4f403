"""Every target's configuration as a file that a person can read: `golden/<target>.pbtxt`.

`python -m tests.exporters.repository.golden_configs` writes them anew; look at the difference
before it is committed. Digests are left out: they change with every line of code that travels with
a model.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from exporters.atomic import atomic_file
from exporters.repository.model_config import to_pbtxt
from tests.small_repository import TARGETS, variant_folders

GOLDEN: Final = Path(__file__).parent / "golden"

_DIGEST: Final = re.compile(r"-[0-9a-f]{12}(?=[-\"\n])")
_HEADLINE: Final = "# --- "


def golden_text(target: str) -> str:
    """All models of a target, each under its name."""
    texts = (
        f"{_HEADLINE}{folder.model.name}\n{to_pbtxt(folder.model)}"
        for folder in variant_folders(target)
    )
    return _DIGEST.sub("-<digest>", "\n".join(texts))


def golden_models(target: str) -> list[str]:
    """The texts of the models in a golden file."""
    return (GOLDEN / f"{target}.pbtxt").read_text(encoding="utf-8").split(f"\n{_HEADLINE}")


if __name__ == "__main__":
    for name in TARGETS:
        with atomic_file(GOLDEN / f"{name}.pbtxt") as path:
            path.write_text(golden_text(name), encoding="utf-8")
