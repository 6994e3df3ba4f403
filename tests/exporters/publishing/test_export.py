"""From a recipe with small encoders to a variant on the real Triton, and the ways it can fail."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from exporters.publishing import export
from exporters.publishing.errors import ParityError
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest, ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.publishing import Published

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def published(folder: Path) -> Published:
    recipe = load_recipe(str(write_small_recipe(folder / "recipe")))
    return export(recipe, Workspace(folder / "workspace"), folder / "repository")


def config_of(repository: Path, model: str) -> model_config_pb2.ModelConfig:
    text = (repository / model / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_export_publishes_three_ensembles_that_share_their_encoders(
    published: Published, folder: Path
) -> None:
    repository = folder / "repository"
    configs = {name: config_of(repository, model) for name, model in published.ensembles.items()}
    steps = {
        name: {step.model_name for step in config.ensemble_scheduling.step}
        for name, config in configs.items()
    }

    assert set(configs) == set(ModalitySet)
    shared = steps[ModalitySet.BOTH]
    assert len(shared & steps[ModalitySet.TEXT]) == 1
    assert len(shared & steps[ModalitySet.IMAGE]) == 1
    assert len(set().union(*steps.values())) == 5
    for model in set().union(*steps.values()):
        assert config_of(repository, model).HasField("dynamic_batching")


def test_export_stamps_a_passport_into_every_ensemble(published: Published, folder: Path) -> None:
    digests = set()
    for modalities, model in published.ensembles.items():
        parameter = config_of(folder / "repository", model).parameters[MANIFEST_PARAMETER]
        manifest = EnsembleManifest.model_validate_json(parameter.string_value)
        digests.add(manifest.digest)
        assert manifest.modalities is modalities
        assert manifest.digest[:12] in model
        assert manifest.parity is not None
        assert manifest.parity.has_passed
        assert manifest.parity.samples >= 64
        assert manifest.parity.max_abs_difference < 1e-3
        assert manifest.parity.label_flips == 0
    assert len(digests) == 1


def test_export_writes_quality_and_parity_into_the_report(published: Published) -> None:
    report = json.loads(published.report.with_name("report.json").read_text(encoding="utf-8"))

    assert set(report["parity"]) == set(report["modalities"]) == {"both", "text", "image"}
    assert "## Parity" in published.report.read_text(encoding="utf-8")


def test_export_of_the_unchanged_recipe_does_nothing(published: Published, folder: Path) -> None:
    before = sorted(folder.joinpath("repository").rglob("config.pbtxt"))
    recipe = load_recipe(str(folder / "recipe" / "shapes.toml"))

    again = export(recipe, Workspace(folder / "workspace"), folder / "repository")

    assert not again.is_new
    assert again.ensembles == published.ensembles
    assert sorted(folder.joinpath("repository").rglob("config.pbtxt")) == before


def test_export_whose_parity_fails_publishes_nothing(published: Published, folder: Path) -> None:
    recipe_file = folder / "recipe" / "strict.toml"
    text = (folder / "recipe" / "shapes.toml").read_text(encoding="utf-8")
    # No two orders of summation agree to the last bit on all samples.
    recipe_file.write_text(text + "\nparity_tolerance = 1e-12\n", encoding="utf-8")
    assert tomllib.loads(recipe_file.read_text(encoding="utf-8"))["target"]["parity_tolerance"]

    with pytest.raises(ParityError) as caught:
        export(load_recipe(str(recipe_file)), Workspace(folder / "workspace"), folder / "strict")

    assert caught.value.max_abs_difference > 0
    assert list((folder / "strict").iterdir()) == []
    assert "failed" in caught.value.report.read_text(encoding="utf-8")
