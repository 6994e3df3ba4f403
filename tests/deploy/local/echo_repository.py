"""Writes the smallest real model repository: one python model that answers with what it was sent.

Its reply also carries facts of the process it runs in, so that a test can see which interpreter
and which packages the bundled Triton gave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
name: "{name}"
backend: "python"
max_batch_size: 0
input [{{ name: "SENT", data_type: TYPE_STRING, dims: [1] }}]
output [{{ name: "REPLY", data_type: TYPE_STRING, dims: [1] }},
        {{ name: "FACTS", data_type: TYPE_STRING, dims: [1] }}]
instance_group [{{ kind: KIND_CPU, count: 1 }}]
"""

MODEL = """
import json
import os
import sys

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        facts = {
            "version": list(sys.version_info[:3]),
            "standard_library": os.path.dirname(os.__file__),
            "numpy": os.path.dirname(np.__file__),
            "pid": os.getpid(),
        }
        return [
            pb_utils.InferenceResponse([
                pb_utils.Tensor("REPLY", pb_utils.get_input_tensor_by_name(r, "SENT").as_numpy()),
                pb_utils.Tensor("FACTS", np.array([json.dumps(facts).encode()], dtype=object)),
            ])
            for r in requests
        ]
"""

BROKEN_MODEL = 'raise RuntimeError("this model is broken on purpose")\n'


def write_model(repository: Path, name: str, source: str = MODEL) -> None:
    """Writes one model, version 1."""
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "1" / "model.py").write_text(source, encoding="utf-8")
    (repository / name / "config.pbtxt").write_text(CONFIG.format(name=name), encoding="utf-8")
