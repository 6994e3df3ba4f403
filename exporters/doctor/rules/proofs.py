"""Is what lies there complete, and is it what was proved?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from exporters.doctor.finding import Fault, Rule, Severity, Site
from exporters.repository.model_folder import DIGEST_CHARS, digest_on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporters.doctor.model_repository import RepositoryModel

_EXPORT_AGAIN: Final = "Export the recipe again; names are immutable, nothing is edited in place."
_NAMED_BY_DIGEST: Final = re.compile(rf"-([0-9a-f]{{{DIGEST_CHARS}}})$")


def unreadable_configs(site: Site) -> Iterator[Fault]:
    """Folders that Triton cannot load, or would complete by guessing."""
    for name, reason in site.repository.unreadable.items():
        yield Fault(
            name,
            f"{reason}, so Triton does not load it or guesses what it is.",
            "Delete the folder, or export the recipe again.",
        )


def missing_files(site: Site) -> Iterator[Fault]:
    """Models without the file that their backend opens, in any version folder."""
    for model in site.repository.models.values():
        file = _main_file(model)
        versions = [path for path in model.folder.glob("[0-9]*/") if path.name.isdecimal()]
        if not versions:
            yield Fault(
                model.name, "It has no version folder: Triton loads nothing.", _EXPORT_AGAIN
            )
        elif file and not any((version / file).exists() for version in versions):
            yield Fault(
                model.name, f"No version of it has a {file}: it fails to load.", _EXPORT_AGAIN
            )


def stale_digests(site: Site) -> Iterator[Fault]:
    """Steps that are no longer what their name says, and ensembles whose name is another's."""
    for model in site.repository.models.values():
        if model.is_ensemble:
            manifest = model.manifest
            if manifest and manifest.digest[:DIGEST_CHARS] not in model.name:
                yield Fault(
                    model.name,
                    f"Its manifest is of digest {manifest.digest[:DIGEST_CHARS]}, which its name "
                    "does not say: the gateway reports a variant that is not the one proved.",
                    _EXPORT_AGAIN,
                )
        elif named := _NAMED_BY_DIGEST.search(model.name):
            actual = digest_on_disk(model.folder, model.config)[:DIGEST_CHARS]
            if actual != named[1]:
                yield Fault(
                    model.name,
                    f"Its files and configuration have the digest {actual}: they were changed "
                    "after the name was given, and what serves is not what was proved.",
                    _EXPORT_AGAIN,
                )


def missing_passports(site: Site) -> Iterator[Fault]:
    """Ensembles that the gateway routes nothing to."""
    for ensemble in site.repository.ensembles:
        manifest = ensemble.manifest
        if manifest is None:
            reason = "It has no manifest that this version can read"
        elif manifest.parity is None:
            reason = "Its parity with the trained model was never proved"
        elif not manifest.parity.has_passed:
            reason = "Its parity proof failed"
        else:
            continue
        yield Fault(
            ensemble.name,
            f"{reason}: the gateway routes no request to it.",
            "Publish it with `python -m exporters export`, which proves parity first.",
        )


def missing_warmups(site: Site) -> Iterator[Fault]:
    """Models whose first callers wait until kernels are chosen and memory is taken."""
    for step in site.repository.steps:
        if step.config.model_warmup or step.settings.get("is_warmed_at_load"):
            continue
        yield Fault(
            step.name,
            "It is ready before it has computed once: its first callers after each start wait.",
            "Give it a model_warmup with one real sample of each shape that is served.",
        )


def _main_file(model: RepositoryModel) -> str | None:
    if model.is_ensemble:
        return None
    default = "model.py" if model.is_python else "model.onnx" if model.is_onnx else None
    return model.config.default_model_filename or default


RULES: Final = (
    Rule(
        "config-unreadable",
        Severity.ERROR,
        "a model folder without a `config.pbtxt` that can be read",
        unreadable_configs,
    ),
    Rule(
        "file-missing",
        Severity.ERROR,
        "no version folder, or none with the file that the backend opens",
        missing_files,
    ),
    Rule(
        "digest-stale",
        Severity.ERROR,
        "files or configuration that are not those the name's digest was made of",
        stale_digests,
    ),
    Rule(
        "passport-missing",
        Severity.ERROR,
        "an ensemble without a passed parity proof: the gateway routes nothing to it",
        missing_passports,
    ),
    Rule(
        "warm-up-missing",
        Severity.WARNING,
        "a model that is ready before it has computed once",
        missing_warmups,
    ),
)
