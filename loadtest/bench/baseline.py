"""The peer to beat: a plain FastAPI service that does the same work with onnxruntime in-process.

Written as a good engineer would write it on one page, and with the settings that are best for it:
form upload, handler in the thread pool, uvloop, httptools, no access log. `baseline_server` starts
it; it is part of the bench and serves nobody else.
"""

from __future__ import annotations

import argparse
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
import numpy as np
import uvicorn
from fastapi import FastAPI, Form, UploadFile
from pydantic import BaseModel

from loadtest.bench.inference import InProcessVariant
from loadtest.bench.variant import read_variant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ClassifyAnswer(BaseModel):
    """The most likely label and its probability."""

    label: str
    score: float


def create_app(model: InProcessVariant, pool_threads: int) -> FastAPI:
    """Builds the service.

    Args:
        model: does the work.
        pool_threads: requests that are worked on at the same time.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = pool_threads
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/healthz")
    async def healthz() -> None:
        pass

    @app.post("/v1/classify")
    def classify(image: UploadFile, text: Annotated[str, Form()]) -> ClassifyAnswer:
        logits = model.classify(image.file.read(), text)
        scores = np.exp(logits - logits.max())
        best = int(logits.argmax())
        return ClassifyAnswer(label=model.labels[best], score=float(scores[best] / scores.sum()))

    return app


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(description="The bench's baseline service.")
    parser.add_argument("--model-repository", type=Path, required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--intra-op-threads", type=int, required=True)
    parser.add_argument("--pool-threads", type=int, required=True)
    options = parser.parse_args()
    variant = read_variant(options.model_repository, options.variant)
    app = create_app(InProcessVariant(variant, options.intra_op_threads), options.pool_threads)
    uvicorn.run(
        app, port=options.port, loop="uvloop", http="httptools", access_log=False, log_level="error"
    )


if __name__ == "__main__":
    main()
