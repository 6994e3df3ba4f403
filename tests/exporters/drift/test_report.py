from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from exporters.cli import app
from exporters.drift.published import PublishedReference, read_published_reference
from exporters.drift.reference import fit_reference
from exporters.drift.report import write_drift_report
from exporters.errors import CaptureError, NoDriftReferenceError
from exporters.repository.model_config import EnsembleModel, to_pbtxt
from gateway.capture.folder import CaptureFolder
from gateway.capture.writer import to_table
from gateway.contract.capture import OTHER_TASKS, CapturedTask
from gateway.contract.drift.properties import image_properties, text_properties
from gateway.contract.drift.window import DriftKind, DriftTests
from gateway.contract.manifest import ModalitySet
from tests.drift_population import Draw, Population
from tests.gateway.capture.rows import make_row
from tests.gateway.manifests import make_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.contract.capture import CapturedRow

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return Population(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def repository(population: Population, tmp_path_factory: pytest.TempPathFactory) -> Path:
    reference = fit_reference(population.reference_data(np.random.default_rng(1)))
    folder = tmp_path_factory.mktemp("repository")
    model = EnsembleModel("demo-both", (), (), 1, (), make_manifest(), reference)
    (folder / model.name).mkdir()
    (folder / model.name / "config.pbtxt").write_text(to_pbtxt(model))
    return folder


def rows_of(
    population: Population, drawn: Draw, tests: DriftTests, first: datetime
) -> list[CapturedRow]:
    rows = []
    for number in range(len(drawn)):
        image = image_properties(population.files[drawn.files[number]].read_bytes())
        text = text_properties(drawn.texts[number])
        rows.append(
            make_row(
                number,
                predicted_at=first + timedelta(seconds=number),
                label=drawn.labels[number],
                confidence=float(drawn.confidence[number]),
                image_features=drawn.image[number],
                text_features=drawn.text[number],
                image_bytes=image.file_bytes,
                image_width_px=image.width_px,
                image_height_px=image.height_px,
                image_format=image.format,
                text_chars=text.characters,
                text_script=text.script,
                text_familiarity=tests.familiarity(drawn.texts[number]),
            )
        )
    return rows


@pytest.fixture(scope="module")
def capture(
    population: Population, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A day as ever and a day of swapped pairs; beside them what is no even sample."""
    generator = np.random.default_rng(2)
    tests = DriftTests(read_published_reference(repository, "demo").reference)
    folder = CaptureFolder(tmp_path_factory.mktemp("capture"))
    for day in range(2):
        drawn, _ = population.draw(400, generator)
        if day == 1:
            order = generator.permutation(len(drawn))
            drawn = replace(drawn, text=drawn.text[order])
        first = MONDAY + timedelta(days=day)
        rows = rows_of(population, drawn, tests, first)
        rows += [replace(row, reasons=("low_confidence",), label="food") for row in rows[:300]]
        folder.write_part(first.date(), "w", 0, to_table(rows))
    return folder.path


def test_report_shows_the_day_and_the_kind(repository: Path, capture: Path, tmp_path: Path) -> None:
    report = write_drift_report(
        read_published_reference(repository, "demo"), capture, tmp_path, window_rows=200
    )

    drifting = [
        {found.kind for found in each.findings if found.is_drifting} for each in report.windows
    ]
    assert drifting == [set(), set(), {DriftKind.AGREEMENT}, {DriftKind.AGREEMENT}]
    assert report.is_drifting
    written = json.loads((tmp_path / "drift.json").read_text())
    assert [each["rows"] for each in written["windows"]] == [200] * 4
    assert "drift-ratios.png" in report.file.read_text()
    for picture in ("drift-ratios.png", "drift-answers.png"):
        assert (tmp_path / picture).stat().st_size > 10_000


def test_report_since_a_moment_leaves_out_what_was_before(
    repository: Path, capture: Path, tmp_path: Path
) -> None:
    report = write_drift_report(
        read_published_reference(repository, "demo"),
        capture,
        tmp_path,
        since=MONDAY + timedelta(days=1),
    )

    [window] = report.windows
    assert (window.rows, window.modalities) == (400, ModalitySet.BOTH)


def test_report_judges_each_task_and_reads_parts_without_them(
    population: Population, tmp_path: Path
) -> None:
    tasks, generator = ("place", "mood"), np.random.default_rng(4)
    reference = fit_reference(population.reference_data(generator, tasks=tasks))
    tests, folder = DriftTests(reference), CaptureFolder(tmp_path)
    drawn, _ = population.draw(400, generator)
    rows = rows_of(population, drawn, tests, MONDAY)
    # As a release before this column wrote them.
    older = to_table(rows[:200]).drop_columns([OTHER_TASKS])
    folder.write_part(MONDAY.date(), "w", 0, older)
    named = [replace(row, other_tasks=(CapturedTask("mood", "food", 0.5),)) for row in rows[200:]]
    folder.write_part(MONDAY.date(), "w", 1, to_table(named))

    report = write_drift_report(
        PublishedReference(make_manifest(), reference),
        tmp_path,
        tmp_path / "report",
        window_rows=200,
    )

    drifting = [
        {(found.kind, found.task) for found in each.findings if found.is_drifting}
        for each in report.windows
    ]
    assert drifting == [set(), {(DriftKind.LABELS, "mood"), (DriftKind.CONFIDENCE, "mood")}]
    assert "| labels of mood |" in report.file.read_text()


def test_command_says_what_drifts_and_exits_with_1(
    repository: Path, capture: Path, tmp_path: Path
) -> None:
    arguments = ["drift", "demo", "--capture", str(capture), "--output", str(tmp_path)]
    arguments += ["--model-repository", str(repository), "--window", "400"]

    found = CliRunner().invoke(app, arguments)

    assert found.exit_code == 1, found.output
    lines = found.output.splitlines()
    assert "as before" in lines[0]
    assert "agreement" in lines[1]
    wrong = CliRunner().invoke(app, [*arguments, "--since", "yesterday"])
    assert wrong.exit_code == 2
    assert "no age such as 7d" in wrong.output


def test_capture_with_too_little_says_what_it_has(
    repository: Path, population: Population, tmp_path: Path
) -> None:
    published = read_published_reference(repository, "demo")
    with pytest.raises(CaptureError, match="no captured parts"):
        write_drift_report(published, tmp_path, tmp_path / "out")
    drawn, _ = population.draw(99, np.random.default_rng(3))
    rows = rows_of(population, drawn, DriftTests(published.reference), MONDAY)
    CaptureFolder(tmp_path).write_part(MONDAY.date(), "w", 0, to_table(rows))

    with pytest.raises(CaptureError, match="99 evenly drawn answers of demo"):
        write_drift_report(published, tmp_path, tmp_path / "out")


def test_variant_without_a_reference_is_named(repository: Path) -> None:
    with pytest.raises(NoDriftReferenceError, match="'other'"):
        read_published_reference(repository, "other")
