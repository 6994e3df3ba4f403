"""The peer of the gateway's cost: FastAPI in front of the same Triton, and nothing else.

What an engineer writes on one page: a form upload, `tritonclient`'s asyncio client, a softmax, a
response model; no deadlines, no admission, no metrics, no keys, no retries. `ThinGateway` starts
it; it is part of the bench and serves nobody else.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import numpy as np
import uvicorn
from fastapi import FastAPI, Form, UploadFile
from pydantic import BaseModel
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient

from gateway.contract import tensors
from loadtest.bench.peers import PeerServer
from loadtest.bench.variant import read_variant

if TYPE_CHECKING:
    from collections.abc import Sequence

THIN_GATEWAY: Final = "loadtest.gateway_cost.thin_gateway"
"""Its module, which is the name that the accounting of CPU time gives its process."""


class ClassifyAnswer(BaseModel):
    """The most likely label and its probability."""

    label: str
    score: float


def create_app(triton_address: str, ensemble: str, labels: Sequence[str]) -> FastAPI:
    """Builds the service.

    Args:
        triton_address: `host:port` of Triton's gRPC API.
        ensemble: that takes image and text.
        labels: in the order of its logits.
    """
    app = FastAPI()
    clients: list[InferenceServerClient] = []

    @app.get("/healthz")
    async def healthz() -> None:
        pass

    @app.post("/v1/classify")
    async def classify(image: UploadFile, text: Annotated[str, Form()]) -> ClassifyAnswer:
        if not clients:  # it must be made inside the event loop
            clients.append(InferenceServerClient(triton_address))
        inputs = []
        contents = {tensors.IMAGE: await image.read(), tensors.TEXT: text.encode()}
        for name, content in contents.items():
            tensor = InferInput(name, [1, 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[content]], dtype=np.object_))
            inputs.append(tensor)
        result = await clients[0].infer(ensemble, inputs)
        logits = result.as_numpy(tensors.LOGITS)[0]
        scores = np.exp(logits - logits.max())
        best = int(logits.argmax())
        return ClassifyAnswer(label=labels[best], score=float(scores[best] / scores.sum()))

    return app


@dataclass(kw_only=True)
class ThinGateway(PeerServer):
    """The peer as a process.

    Attributes:
        triton_address: `host:port` of Triton's gRPC API.
    """

    name: ClassVar[str] = "thin gateway"
    module: ClassVar[str] = THIN_GATEWAY

    triton_address: str

    def own_options(self) -> Sequence[str]:
        """Returns where Triton is."""
        return (f"--triton={self.triton_address}",)


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(description="The peer of the bench of the gateway's cost.")
    parser.add_argument("--model-repository", type=Path, required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--triton", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    variant = read_variant(options.model_repository, options.variant)
    uvicorn.run(
        create_app(options.triton, variant.ensemble, variant.labels),
        port=options.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()
