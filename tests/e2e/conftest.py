"""The demo on the real Triton behind the real gateway, started once for the tests that only ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.conftest import DEMO, ROOT
from tests.e2e.stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """A held-out example of the demo that its exporter classified rightly."""

    image: bytes
    text: str
    label: str


@pytest.fixture(scope="package", autouse=True)
def patient_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Gives requests more than 500 ms: what these tests ask does not depend on a busy machine.

    And the page the samples that the exporters left, and feedback a database.
    """
    database = tmp_path_factory.mktemp("database") / "diptych.sqlite3"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DIPTYCH_GATEWAY_REQUEST_BUDGET_MS", "10000")
        environment.setenv("DIPTYCH_GATEWAY_DATABASE_URL", f"sqlite:///{database}")
        environment.setenv("DIPTYCH_GATEWAY_SAMPLES_FOLDER", str(ROOT / ".diptych" / "samples"))
        yield


@pytest.fixture(scope="session")
def sample(demo_repository: Path) -> Sample:
    """What the exporter left for trying the demo."""
    folder = demo_repository.parent / ".diptych" / "samples" / DEMO
    fields = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    return Sample((folder / fields["image"]).read_bytes(), fields["text"], fields["label"])


@pytest.fixture(scope="package")
def stack(
    patient_gateway: None, demo_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A running stack that no test may disturb."""
    with running_stack(demo_repository, DEMO, tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def own_stack(demo_repository: Path, tmp_path: Path) -> Iterator[Stack]:
    """A running stack that a test may kill."""
    with running_stack(demo_repository, DEMO, tmp_path) as running:
        yield running
