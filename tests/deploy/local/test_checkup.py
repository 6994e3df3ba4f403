from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.local import checkup
from deploy.local.errors import PreflightError
from deploy.local.published import select
from tests.deploy.local.toy_repository import publish

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    publish(tmp_path / "models")
    return tmp_path / "models"


def test_examine_tells_the_warnings_of_the_chosen_models_alone(repository: Path) -> None:
    text_ensemble = next(name for name in select(repository).models if "-text-" in name)

    lines = checkup.examine(repository, [text_ensemble])

    assert lines
    assert all(line.startswith(f"{text_ensemble}-step: ") for line in lines)
    assert any(line.endswith("(warm-up-missing)") for line in lines)


def test_examine_an_error_is_an_obstacle_with_its_remedy(repository: Path) -> None:
    models = select(repository).models
    shutil.rmtree(repository / f"{models[0]}-step")

    with pytest.raises(PreflightError) as caught:
        checkup.examine(repository, models)

    [finding] = caught.value.findings
    assert finding.startswith(f"{models[0]}: Its step {models[0]}-step is not in the repository")
    assert finding.endswith("(step-missing)")


def test_examine_that_is_not_possible_says_why_and_stops_nothing(repository: Path) -> None:
    [line] = checkup.examine(repository, ["no-such-model"])

    assert line.startswith("The doctor could not examine the models: ")


def test_doctor_loads_nothing_that_an_environment_for_serving_lacks() -> None:
    script = (
        "import sys, exporters.cli, exporters.doctor.report; "
        "print({'torch', 'transformers', 'onnx', 'sklearn'} & set(sys.modules))"
    )

    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert result.stdout == "set()\n"
