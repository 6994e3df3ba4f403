"""Model folders on disk: staged beside the repository, then renamed into it.

Names are immutable: a folder that stands in the repository already is the same model and is left
alone. Ensembles come last, so that whoever reads the repository never sees one without its steps.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.atomic import atomic_file
from exporters.repository.model_config import EnsembleModel, to_pbtxt
from exporters.repository.model_folder import CONFIG, VERSION, WARMUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporters.repository.model_folder import ModelFolder


@contextmanager
def staging(repository: Path) -> Iterator[Path]:
    """Yields an empty repository on the same file system; it is gone afterwards.

    Its name is hidden: whatever reads the repository takes it for none of its models.
    """
    repository.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=repository))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_model(folder: ModelFolder, repository: Path) -> None:
    """Writes one model: configuration, version folder, warm-up folder and their files."""
    version = repository / folder.model.name / VERSION
    version.mkdir(parents=True)
    for name, source in folder.files.items():
        (version / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, version / name)
    for name, content in folder.warmup.items():
        (version.with_name(WARMUP) / name).parent.mkdir(parents=True, exist_ok=True)
        (version.with_name(WARMUP) / name).write_bytes(content)
    write_config(folder, repository)


def write_config(folder: ModelFolder, repository: Path) -> None:
    """Writes, or writes anew, the `config.pbtxt` of a model that is still in staging."""
    with atomic_file(repository / folder.model.name / CONFIG) as path:
        path.write_text(to_pbtxt(folder.model), encoding="utf-8")


def publish(folders: Iterable[ModelFolder], staged: Path, repository: Path) -> None:
    """Moves staged models into the repository, ensembles last."""
    for folder in sorted(folders, key=lambda each: isinstance(each.model, EnsembleModel)):
        target = repository / folder.model.name
        if not target.exists():
            (staged / folder.model.name).rename(target)
