"""The exported demo, for whatever tests the real thing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from exporters.encoders.torchvision_import import make_torchvision_importable
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace

ROOT = Path(__file__).parents[1]
DEMO = "openmoji"

# Where someone has installed the extra `timm`, tests import transformers before the exporters do.
make_torchvision_importable()

# A shell that starts the suite in the background hands down an ignored SIGINT, and then nothing
# that a test starts could be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def demo_repository() -> Path:
    """The model repository with the demo in it; exported now when nobody has done it yet."""
    folder = ROOT / "model_repository"
    export(load_recipe(DEMO), Workspace(ROOT / ".diptych"), folder)
    return folder
