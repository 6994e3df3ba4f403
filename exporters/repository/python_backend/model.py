"""Entry point of every python-backend model: hands its calls to the step named in its settings."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


class TritonPythonModel:
    """What Triton's python backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the step; called once, before the model is ready."""
        folder = Path(__file__).parent
        # The code that travels with the model goes before whatever is installed.
        sys.path.insert(0, str(folder))
        config = json.loads(args["model_config"])
        settings: dict[str, Any] = json.loads(config["parameters"]["settings"]["string_value"])
        step = importlib.import_module(f"exporters.repository.python_backend.{settings['step']}")
        self._step = step.load(folder, settings)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers one dynamic batch: a response for each request, in order."""
        responses: list[Any] = self._step.execute(requests)
        return responses
