"""From a published variant and feedback on moved inputs to a proved candidate, or to a refusal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from exporters.cli import main
from exporters.drift.captured import read_captured
from exporters.drift.published import read_published_reference
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.training import load_trained
from exporters.workspace import Workspace
from gateway.contract.drift.window import DriftKind, DriftTests
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest, ModalitySet
from tests.exporters.retraining.feedback_world import World, rows_of
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.training import TrainedVariant
    from tests.gateway.storage.databases import Postgresql

_PATIENCE_S = 180.0

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


def moved_world(
    live: Live, folder: Path, database: str | None = None, *, has_right_labels: bool
) -> World:
    """Held-out features moved, those of each label its own way; labelled by users."""
    world, rng = World.make(folder, database), np.random.default_rng(0)
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


def arguments(live: Live, world: World) -> list[str]:
    return [
        "retrain", str(live.recipe), "--capture", str(world.capture), "--database", world.database,
        "--workspace", str(live.folder / "workspace"), "--model-repository", str(live.repository),
        "--since", "2026-11-01", "--original-margin", "1",
    ]  # fmt: skip


def run(live: Live, world: World, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["exporters", *arguments(live, world)])
    with pytest.raises(SystemExit) as ending:
        main()
    return ending.value.code


@dataclass(frozen=True)
class Schedule:
    """The command with `--every 1s`, and what it has said so far."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    @property
    def errors(self) -> str:
        return (self.folder / "errors").read_text()

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while not is_so():
            assert self.process.poll() is None, self.errors
            assert time.monotonic() < deadline_s, (self.said, self.errors)
            time.sleep(0.1)


@contextmanager
def schedule(live: Live, world: World, folder: Path) -> Iterator[Schedule]:
    command = [sys.executable, "-m", "exporters", *arguments(live, world), "--every", "1s"]
    with (folder / "said").open("wb") as said, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, stdout=said, stderr=errors)
    try:
        yield Schedule(process, folder)
    finally:
        process.kill()
        process.wait()


def drifting(live: Live, variant: str, capture: Path) -> set[DriftKind]:
    """Judges captured traffic by the published reference of a variant."""
    (digest,) = {each.digest for each in live.manifests() if each.variant == "shapes"}
    reference = read_published_reference(live.repository, variant).reference
    tests = DriftTests(reference)
    groups = read_captured(capture, digest, None, tests, reference.first_task)
    # Answers are those of the original, of which these rows are made up.
    items = [replace(each, answers={}) for each in groups[ModalitySet.BOTH].items]
    findings = tests.judge(items, ModalitySet.BOTH, 1e-4)
    return {each.kind for each in findings if each.is_drifting}


def as_ever_world(live: Live, folder: Path) -> World:
    """Held-out features as they are."""
    world, rows = World.make(folder), live.variant.split.holdout
    (digest,) = {each.digest for each in live.manifests() if each.variant == "shapes"}
    features = live.variant.features
    world.capture_rows(rows_of(features.text.numpy()[rows], features.image.numpy()[rows], digest))
    return world


def test_labels_that_say_nothing_make_no_candidate(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(live.repository.iterdir())
    world = moved_world(live, tmp_path, has_right_labels=False)

    assert run(live, world, monkeypatch) == 1

    assert "The candidate is refused: " in capsys.readouterr().err
    assert sorted(live.repository.iterdir()) == before


def test_schedule_outlives_an_outage_of_postgresql_and_makes_a_proved_candidate(
    live: Live, tmp_path: Path, postgresql: Postgresql
) -> None:
    world = moved_world(live, tmp_path, postgresql.new_database(), has_right_labels=True)
    postgresql.set_away(world.database, is_away=True)

    with schedule(live, world, tmp_path) as running:
        running.wait_for(lambda: "Again in 1 s" in running.said)
        assert "The feedback cannot be read" in running.errors
        assert not [each for each in live.manifests() if each.provenance.lineage]
        postgresql.set_away(world.database, is_away=False)
        running.wait_for(lambda: "It gets no traffic yet" in running.said)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=_PATIENCE_S) == 0

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
        assert lineage.drift_reference_examples is not None
        assert lineage.drift_reference_examples < lineage.feedback_examples
    # What the candidate was made for is drift to the original alone, and the other way round.
    assert DriftKind.TEXT_EMBEDDING in drifting(live, "shapes", world.capture)
    assert drifting(live, made[0].variant, world.capture) == set()
    as_ever = as_ever_world(live, tmp_path / "as-ever")
    assert DriftKind.TEXT_EMBEDDING in drifting(live, made[0].variant, as_ever.capture)
    assert (
        f'"{made[0].variant}" = {{ weight = 0 }}'
        in next((live.folder / "workspace" / "runs").glob("shapes-r*/experiments.toml")).read_text()
    )
