"""What the model repository has to serve, and which part of it is chosen.

Reads each ensemble's `config.pbtxt`, where the exporters left the manifest. Names are immutable, so
a repository holds older digests of a variant beside the newest; only the chosen ones are loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf import text_format
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2

from deploy.local.errors import RepositoryError
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Ensemble:
    """One published ensemble.

    Attributes:
        model_name: its name for Triton.
        manifest: what the exporters say of it.
        steps: names of the models it is made of.
    """

    model_name: str
    manifest: EnsembleManifest
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """What is to be served.

    Attributes:
        digests: variant name to the digest chosen, newest variant first.
        models: the ensembles to load.
        model_processes: how many processes the python backend will start for them.
    """

    digests: dict[str, str]
    models: tuple[str, ...]
    model_processes: int


def select(repository: Path, wanted: Sequence[str] = ()) -> Selection:
    """Chooses what is served: of each variant the newest digest with a passed parity proof.

    Args:
        repository: the model repository.
        wanted: `name` or `name@digest-prefix`; empty: all variants.

    Raises:
        RepositoryError: nothing can be served, a wanted variant is not there, or a configuration
            cannot be read.
    """
    configs = _read_configs(repository)
    ensembles = [ensemble for config in configs.values() if (ensemble := _ensemble(config))]
    if not ensembles:
        raise RepositoryError(repository, "it holds no published variant")
    proven = [
        each for each in ensembles if each.manifest.parity and each.manifest.parity.has_passed
    ]
    if not proven:
        raise RepositoryError(repository, "no variant in it has passed its parity proof")
    proven.sort(key=lambda each: each.manifest.provenance.created_at, reverse=True)
    names = wanted or dict.fromkeys(each.manifest.variant for each in proven)
    digests = dict(_newest(repository, proven, name) for name in names)
    chosen = [each for each in proven if digests.get(each.manifest.variant) == each.manifest.digest]
    steps = {step for each in chosen for step in each.steps}
    return Selection(
        digests=digests,
        models=tuple(sorted(each.model_name for each in chosen)),
        model_processes=sum(_processes(configs[step]) for step in steps if step in configs),
    )


def _newest(repository: Path, proven: Sequence[Ensemble], wanted: str) -> tuple[str, str]:
    name, _, digest_prefix = wanted.partition("@")
    for each in proven:  # newest first
        if each.manifest.variant == name and each.manifest.digest.startswith(digest_prefix):
            return name, each.manifest.digest
    known = sorted({f"{each.manifest.variant}@{each.manifest.digest[:12]}" for each in proven})
    raise RepositoryError(repository, f"no variant {wanted} in it, only {', '.join(known)}")


def _read_configs(repository: Path) -> dict[str, model_config_pb2.ModelConfig]:
    """Reads every model's configuration, by model name. Hidden folders are unfinished exports."""
    configs = {}
    for path in sorted(repository.glob("[!.]*/config.pbtxt")):
        try:
            text = path.read_text(encoding="utf-8")
            configs[path.parent.name] = text_format.Parse(text, model_config_pb2.ModelConfig())
        except (text_format.ParseError, UnicodeDecodeError) as error:
            raise RepositoryError(repository, f"{path} cannot be read ({error})") from error
    return configs


def _ensemble(config: model_config_pb2.ModelConfig) -> Ensemble | None:
    if MANIFEST_PARAMETER not in config.parameters:
        return None
    try:
        manifest = EnsembleManifest.model_validate_json(
            config.parameters[MANIFEST_PARAMETER].string_value
        )
    except ValidationError:
        return None  # written for another version of the contract: the gateway would refuse it
    steps = tuple(step.model_name for step in config.ensemble_scheduling.step)
    return Ensemble(config.name, manifest, steps)


def _processes(config: model_config_pb2.ModelConfig) -> int:
    if config.backend != "python":
        return 0
    return sum(max(1, group.count) for group in config.instance_group) or 1
