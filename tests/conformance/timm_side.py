"""The part of a comparison that needs timm, in a process that has it.

`python -m tests.conformance.timm_side FOLDER NAME...` saves each case, exports it into the model
repository FOLDER/repository, and writes what timm says of the samples to FOLDER/NAME.npy. The last
line that it prints is the model of each case, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from exporters.encoders.torchvision_import import make_torchvision_importable


def main(folder: Path, names: list[str]) -> None:
    """Does all cases of the command line."""
    make_torchvision_importable()
    from tests.conformance.comparison import export_image_case
    from tests.conformance.samples import jpeg_files
    from tests.conformance.timm_cases import TIMM_CASES

    files, models = jpeg_files(), {}
    for case in TIMM_CASES:
        if case.name in names:
            checkpoint = folder / case.name
            case.save(checkpoint)
            models[case.name] = export_image_case(case.name, folder, folder / "repository")
            np.save(folder / f"{case.name}.npy", case.reference(checkpoint, files))
    print(json.dumps(models))  # noqa: T201  # what the caller reads


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
