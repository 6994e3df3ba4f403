"""The demo on the real Triton behind the real gateway, started once for the tests that only ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from tests.e2e.stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DEMO = "openmoji"


@dataclass(frozen=True)
class Sample:
    """A held-out example of the demo that its exporter classified rightly."""

    image: bytes
    text: str
    label: str


@pytest.fixture(scope="session", autouse=True)
def patient_gateway() -> Iterator[None]:
    """Gives requests more than 500 ms: what these tests ask does not depend on a busy machine."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DIPTYCH_GATEWAY_REQUEST_BUDGET_MS", "10000")
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """The model repository with the demo in it; exported now when nobody has done it yet."""
    folder = ROOT / "model_repository"
    export(load_recipe(DEMO), Workspace(ROOT / ".diptych"), folder)
    return folder


@pytest.fixture(scope="session")
def sample(repository: Path) -> Sample:
    """What the exporter left for trying the demo."""
    folder = repository.parent / ".diptych" / "samples" / DEMO
    fields = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    return Sample((folder / fields["image"]).read_bytes(), fields["text"], fields["label"])


@pytest.fixture(scope="session")
def stack(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that no test may disturb."""
    with running_stack(repository, DEMO, tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def own_stack(repository: Path, tmp_path: Path) -> Iterator[Stack]:
    """A running stack that a test may kill."""
    with running_stack(repository, DEMO, tmp_path) as running:
        yield running
