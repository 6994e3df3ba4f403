"""Features of one modality set to logits, or to an embedding in the space of a dual tower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import triton_python_backend_utils as pb_utils

from exporters.repository.python_backend.encoder_step import Array, padded
from exporters.repository.python_backend.session import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class FusionHeadStep:
    """Answers dynamic batches with a head; the graph's tensors are the model's, in lower case."""

    def __init__(self, session: Any, input_names: Sequence[str], output_name: str) -> None:  # noqa: ANN401
        self._session = session
        self._input_names = input_names
        self._output_name = output_name

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response a request: the graph's output, float32 (rows, width)."""
        by_input = {
            name: [
                pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests
            ]
            for name in self._input_names
        }
        feeds = {name.lower(): _together(rows) for name, rows in by_input.items()}
        (answers,) = self._session.run(None, feeds)
        ends = np.cumsum([len(rows) for rows in by_input[self._input_names[0]]])
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor(self._output_name, rows)])
            for rows in np.split(answers, ends[:-1])
        ]


def _together(requests: Sequence[Array]) -> Array:
    """Rows of all requests; sequences are padded with zeros, which the head does not see."""
    if requests[0].ndim == 2:
        return np.concatenate(requests)
    return padded([row for rows in requests for row in rows])


def load(folder: Path, settings: dict[str, Any]) -> FusionHeadStep:
    """Opens the head's graph and runs it once, so that the first caller does not pay for it."""
    session = open_session(folder / settings["graph"], settings["intra_op_threads"])
    inputs = session.get_inputs()
    # An axis that has a name instead of a size is the length of a sequence.
    shapes = {
        each.name: (1, *(size if isinstance(size, int) else 1 for size in each.shape[1:]))
        for each in inputs
    }
    session.run(None, {name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    (output,) = session.get_outputs()
    return FusionHeadStep(session, [each.name.upper() for each in inputs], output.name.upper())
