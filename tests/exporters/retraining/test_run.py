"""From a published variant and feedback on moved inputs to a proved candidate, or to a refusal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from exporters.cli import main
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.training import load_trained
from exporters.workspace import Workspace
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest
from tests.exporters.retraining.feedback_world import World, rows_of
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.training import TrainedVariant

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Live:
    """A published variant."""

    folder: Path
    recipe: Path
    variant: TrainedVariant

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    def manifests(self) -> list[EnsembleManifest]:
        found = []
        for file in self.repository.glob("*/config.pbtxt"):
            config = text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())
            if MANIFEST_PARAMETER in config.parameters:
                text = config.parameters[MANIFEST_PARAMETER].string_value
                found.append(EnsembleManifest.model_validate_json(text))
        return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    folder = tmp_path_factory.mktemp("retraining")
    path = write_small_recipe(folder / "recipe")
    text = path.read_text().replace("epochs = 30", "epochs = 60\nlearning_rate = 0.005")
    path.write_text(text)
    recipe, workspace = load_recipe(str(path)), Workspace(folder / "workspace")
    export(recipe, workspace, folder / "repository")
    variant = load_trained(recipe, workspace)
    assert variant is not None
    return Live(folder, path, variant)


def moved_world(live: Live, folder: Path, *, has_right_labels: bool) -> World:
    """Held-out features moved, those of each label its own way; labelled by users."""
    world, rng = World.make(folder), np.random.default_rng(0)
    rows = live.variant.split.holdout
    truth_of = live.variant.table.label_indices[rows]

    def moved(features: NDArray[np.float32]) -> NDArray[np.float32]:
        ways = rng.choice([-1, 1], (len(live.variant.labels), features.shape[1]))
        found: NDArray[np.float32] = features[rows] + 3 * features.std() * ways[truth_of]
        return found.astype(np.float32)

    (digest,) = {each.digest for each in live.manifests() if each.variant == "shapes"}
    captured = rows_of(
        moved(live.variant.features.text.numpy()),
        moved(live.variant.features.image.numpy()),
        digest,
    )
    truth = [live.variant.table.examples[row].label for row in rows]
    world.capture_rows(captured)
    world.label(captured, truth if has_right_labels else list(rng.permutation(truth)))
    return world


def run(live: Live, world: World, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    arguments = [
        "exporters", "retrain", live.recipe, "--capture", world.capture, "--database",
        world.database, "--workspace", live.folder / "workspace", "--model-repository",
        live.repository, "--since", "2026-11-01", "--original-margin", "1",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    with pytest.raises(SystemExit) as ending:
        main()
    return ending.value.code


def test_labels_that_say_nothing_make_no_candidate(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(live.repository.iterdir())
    world = moved_world(live, tmp_path, has_right_labels=False)

    assert run(live, world, monkeypatch) == 1

    assert "The candidate is refused: " in capsys.readouterr().err
    assert sorted(live.repository.iterdir()) == before


def test_feedback_on_moved_inputs_makes_a_proved_candidate_with_its_lineage(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = moved_world(live, tmp_path, has_right_labels=True)

    assert run(live, world, monkeypatch) == 0

    printed = capsys.readouterr().out
    made = [each for each in live.manifests() if each.variant.startswith("shapes-r")]
    assert len(made) == 3
    for each in made:
        assert each.parity is not None
        assert each.parity.has_passed
        lineage = each.provenance.lineage
        assert lineage is not None
        assert lineage.parent == "shapes"
        assert lineage.accuracy > lineage.parent_accuracy + 0.1
        assert lineage.feedback_examples == len(live.variant.split.holdout)
        assert each.provenance.recipe == "shapes"
    assert (
        f'"{made[0].variant}" = {{ weight = 0 }}'
        in next((live.folder / "workspace" / "runs").glob("shapes-r*/experiments.toml")).read_text()
    )
    assert "It gets no traffic yet" in printed
