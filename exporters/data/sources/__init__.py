"""Data sources: builders of a table and its images, by name.

A source turns what a package or a download carries into an ordinary CSV file with image, text and
label columns, once, in the workspace. From there on it is a table like any user's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from exporters.atomic import atomic_folder
from exporters.data.sources import openmoji, stamps
from exporters.data.sources.source import TABLE_NAME, DataSource
from exporters.digests import digest_of_json, digest_of_source
from exporters.errors import InvalidRecipeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporters.workspace import Workspace

DATA_SOURCES: Final[dict[str, DataSource]] = {
    "openmoji": DataSource(openmoji.Options, openmoji.build),
    "stamps": DataSource(stamps.Options, stamps.build),
}


def build_source(name: str, options: Mapping[str, object], workspace: Workspace) -> Path:
    """Builds a data source's table, or finds the one that was built with the same options.

    Args:
        name: a key of `DATA_SOURCES`.
        options: the recipe's [data.options].
        workspace: where the table and its images go.

    Returns:
        The path of the table.

    Raises:
        UnknownNameError: no such data source.
        InvalidRecipeError: an option that the source does not take.
        MissingRequirementError: a package or tool that the source needs is missing.
        DownloadError: what the source needs could not be fetched.
    """
    if name not in DATA_SOURCES:
        raise UnknownNameError("data source", name, tuple(DATA_SOURCES))
    source = DATA_SOURCES[name]
    try:
        checked = source.options.model_validate(options)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(["data.options", *map(str, problem["loc"])])
        raise InvalidRecipeError(name, key, problem["msg"]) from error
    code = digest_of_source([source.build.__module__])
    digest = digest_of_json({"options": checked.model_dump(mode="json"), "code": code})
    folder = workspace.dataset_folder(name, digest)
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            source.build(checked, unfinished)
    return folder / TABLE_NAME
