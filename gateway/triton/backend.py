"""The seam between the gateway and an inference server.

`grpc_backend.TritonBackend` implements it; `pools` depends on the Protocol alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row: TypeAlias = NDArray[np.float32]
"""One output of one item, without the batch axis."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server says of one of its models.

    Attributes:
        parameters: of its configuration.
        outputs: their widths by name.
    """

    parameters: Mapping[str, str]
    outputs: Mapping[str, int]


class InferenceBackend(Protocol):
    """What the gateway needs of an inference server.

    Every method raises `BackendUnavailableError` when the server cannot be reached.
    """

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, bytes],
        outputs: Sequence[str],
        *,
        timeout_s: float,
        request_id: str,
    ) -> Mapping[str, Row]:
        """Runs one item through a model.

        Args:
            model: name of the ensemble.
            inputs: content of the BYTES tensors [1] by name.
            outputs: names of the outputs that are wanted; none of the others is sent.
            timeout_s: time left for the answer, in seconds.
            request_id: travels along, so that the server's log can be matched.

        Returns:
            The FP32 outputs by name, each of shape (n,).

        Raises:
            InvalidInputError: a model step refused the image or the text.
            OverloadedError: a queue of the server is full, or the item waited too long in it.
            VariantUnavailableError: the model is unknown or not ready.
            DeadlineExceededError: `timeout_s` passed.
            BackendError: anything else.
        """

    async def is_server_ready(self, *, timeout_s: float) -> bool:
        """Whether the server says it is ready; False too when it cannot be reached."""

    async def ready_models(self, *, timeout_s: float) -> Sequence[str]:
        """Names of the models that are ready to infer."""

    async def model(self, name: str, *, timeout_s: float) -> ServedModel:
        """Reads a model's configuration."""

    async def step_devices(self, ensemble: str, *, timeout_s: float) -> frozenset[str]:
        """Where the steps of an ensemble run that a native backend runs: `cpu`, `gpu`.

        Steps of the python backend do not count: they decode and tokenise on the CPU anyway.
        """

    async def close(self) -> None:
        """Ends all connections; calls in flight fail."""
