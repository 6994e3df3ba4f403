"""Stands for Triton's onnxruntime backend, which the Triton bundled here does not have.

Each native model keeps its configuration (tensors, batching, queue, warm-up) and its graph, and
changes its backend alone: a python model opens the graph and runs it. So the real Triton sees the
repository of a native target as it was written, all but the one thing that is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

if TYPE_CHECKING:
    from pathlib import Path

_MODEL = """
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        graph = Path(__file__).with_name("model.onnx")
        self._session = onnxruntime.InferenceSession(graph, options)
        self._inputs = [each.name for each in self._session.get_inputs()]
        self._output = self._session.get_outputs()[0].name

    def execute(self, requests):
        # As the backend does: the requests of a batch have one shape and share one run.
        rows = [
            [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self._inputs
        ]
        feeds = {name: np.concatenate(each) for name, each in zip(self._inputs, rows)}
        (features,) = self._session.run([self._output], feeds)
        ends = np.cumsum([len(each) for each in rows[0]])[:-1]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor(self._output, part)])
            for part in np.split(features, ends)
        ]
"""


def stand_in(repository: Path) -> None:
    """Changes the backend of every native model of a repository."""
    for path in repository.glob("[!.]*/config.pbtxt"):
        config = text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
        if config.backend == "onnxruntime":
            config.backend = "python"
            config.ClearField("default_model_filename")
            path.write_text(text_format.MessageToString(config), encoding="utf-8")
            (path.parent / "1" / "model.py").write_text(_MODEL, encoding="utf-8")
