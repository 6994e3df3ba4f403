"""A server that speaks Triton's gRPC protocol, with answers that a test can foresee.

It reads real tensors from real messages and refuses what Triton would refuse. Text and image decide
what happens: see `_BEHAVIOURS`. `python -m tests.gateway.fake_triton PORT` runs one alone.
"""

# ruff: noqa: ANN401, N802 - JSON and untyped protocol messages
from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from deploy.local.triton_server import free_ports
from gateway.contract.drift.reference import REFERENCE_PARAMETER
from gateway.contract.input_fault import InputFault
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest, ModalitySet
from gateway.contract.tensors import features_of
from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_TRACE = (1500.0, 11000.0, 4.0)
TEXT_TRACE = (100.0, 8000.0, 2.0)
BROKEN_IMAGE = b"not an image"
NATIVE_STEP = "native-encoder"


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """The servicer and its server.

    Attributes:
        repository: manifest JSON by model name; None stands for a model without manifest.
        is_ready: what ServerReady says.
        requests: every ModelInfer request that was received.
        metadata: what came along with each of them.
        configs_read: how many model configurations were read.
        cancelled: how many ModelInfer calls were cancelled by the client.
        running: how many ModelInfer calls are running.
        release: calls with the text "wait" wait for it.
        is_silent: nothing is answered, as by a black hole, until it is reset.
        failure: status and message with which every ModelInfer fails, or None.
        delay_s: how long every ModelInfer takes.
        native_kind: instance kind of a native step of each ensemble; None: there is none.
        feature_dims: widths of the outputs with features, by name; empty: there are none.
        drift_reference: JSON of the drift reference of each ensemble `both`, or None.
        held: calls of models whose names begin with it wait for `release`.
        port: the port it listens on, after `start`.
    """

    def __init__(self, repository: dict[str, str | None] | None = None) -> None:
        self.repository: dict[str, str | None] = (
            dict(make_repository()) if repository is None else repository
        )
        self.is_ready = True
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.configs_read = 0
        self.cancelled = 0
        self.running = 0
        self.most_running = 0
        self.release = asyncio.Event()
        self.held: str | None = None
        self.is_silent = False
        self.failure: tuple[grpc.StatusCode, str] | None = None
        self.delay_s = 0.0
        self.native_kind: int | None = None
        self.feature_dims: dict[str, int] = {}
        self.drift_reference: str | None = None
        self.port = 0
        self._server: Any = None

    async def start(self, port: int | None = None) -> None:
        self._server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
        )
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port or free_ports(1)[0]}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _hold(self) -> None:
        while self.is_silent:  # noqa: ASYNC110 - until the client gives up or a test resets it
            await asyncio.sleep(0.01)

    async def ServerReady(self, request: Any, context: Any) -> Any:
        await self._hold()
        return service_pb2.ServerReadyResponse(ready=self.is_ready)

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:
        models = [
            service_pb2.RepositoryIndexResponse.ModelIndex(name=name, version="1", state="READY")
            for name in self.repository
        ]
        return service_pb2.RepositoryIndexResponse(models=models)

    async def ModelConfig(self, request: Any, context: Any) -> Any:
        self.configs_read += 1
        await self._hold()
        response = service_pb2.ModelConfigResponse()
        response.config.name = request.name
        if request.name == NATIVE_STEP:
            response.config.backend = "onnxruntime"
            response.config.instance_group.add(kind=self.native_kind)
            return response
        if self.native_kind is not None:
            response.config.ensemble_scheduling.step.add(model_name=NATIVE_STEP)
        if (manifest := self.repository[request.name]) is not None:
            response.config.parameters[MANIFEST_PARAMETER].string_value = manifest
            self._describe(response.config, manifest)
        return response

    def _describe(self, config: Any, manifest: str) -> None:
        """Adds what a variant with features says of itself."""
        if not self.feature_dims:
            return
        modalities = EnsembleManifest.model_validate_json(manifest).modalities
        for name in features_of(modalities):
            config.output.add(name=name, dims=[self.feature_dims[name]])
        if self.drift_reference is not None and modalities is ModalitySet.BOTH:
            config.parameters[REFERENCE_PARAMETER].string_value = self.drift_reference

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self._hold()
            await asyncio.sleep(self.delay_s)
            if self.failure is not None:
                await context.abort(*self.failure)
            return await self._infer(request, context)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def _infer(self, request: Any, context: Any) -> Any:
        text_of_manifest = self.repository.get(request.model_name)
        if text_of_manifest is None:
            await context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Request for unknown model: '{request.model_name}' is not found",
            )
            raise AssertionError("abort raises")
        manifest = EnsembleManifest.model_validate_json(text_of_manifest)
        inputs = _read_inputs(request)
        wanted = {
            name
            for name, is_wanted in (
                ("IMAGE", manifest.modalities.has_image),
                ("TEXT", manifest.modalities.has_text),
            )
            if is_wanted
        }
        if set(inputs) != wanted:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unexpected inference input")
        if self.held is not None and request.model_name.startswith(self.held):
            await self.release.wait()
        text = inputs.get("TEXT", b"").decode()
        if (behave := _BEHAVIOURS.get(text)) is not None:
            await behave(self, context)
        if inputs.get("IMAGE") == BROKEN_IMAGE:
            fault = InputFault("image_undecodable", "image", "The image cannot be decoded.")
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"in ensemble '{request.model_name}', {fault.to_message()}",
            )
        outputs = self._outputs(manifest, inputs)
        wanted_outputs = [each.name for each in request.outputs] or list(outputs)
        for name in wanted_outputs:
            if name not in outputs:
                await context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"unexpected inference output '{name}' for model '{request.model_name}'",
                )
        response = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
        for name in wanted_outputs:
            row = outputs[name]
            response.outputs.add(name=name, datatype="FP32", shape=(1, row.size))
            response.raw_output_contents.append(row.tobytes())
        return response

    def _outputs(
        self, manifest: EnsembleManifest, inputs: Mapping[str, bytes]
    ) -> dict[str, NDArray[np.float32]]:
        outputs: dict[str, NDArray[np.float32]] = {}
        if manifest.dual_tower is not None:
            outputs["EMBEDDING"] = embed(inputs, manifest.dual_tower.embedding_dim)
        else:
            outputs["LOGITS"] = np.arange(len(manifest.labels), dtype="<f4")
            if inputs.get("TEXT") == b"nan":
                outputs["LOGITS"][0] = np.nan
        if manifest.modalities.has_image:
            outputs["IMAGE_TRACE"] = np.array(IMAGE_TRACE, "<f4")
        if manifest.modalities.has_text:
            outputs["TEXT_TRACE"] = np.array(TEXT_TRACE, "<f4")
        for name in features_of(manifest.modalities):
            if name in self.feature_dims:
                content = inputs[name.partition("_")[0]]
                outputs[name] = features(content, self.feature_dims[name])
        return outputs


def features(content: bytes, dim: int) -> NDArray[np.float32]:
    """Returns what an encoder would say: normal numbers, the same for the same content."""
    return np.random.default_rng(list(content)).normal(size=dim).astype("<f4")


def embed(inputs: Mapping[str, bytes], dim: int) -> NDArray[np.float32]:
    """Embeds image and text alike: each word is a direction of its own, and they are added."""
    words = b" ".join(inputs.values()).split()
    total = np.zeros(dim)
    for word in words:
        total += np.random.default_rng(list(word)).normal(size=dim)
    return (total / np.linalg.norm(total)).astype("<f4")


def _read_inputs(request: Any) -> dict[str, bytes]:
    inputs = {}
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
        assert tensor.datatype == "BYTES"
        assert list(tensor.shape) == [1, 1]
        (length,) = struct.unpack_from("<I", raw)
        assert len(raw) == 4 + length
        inputs[tensor.name] = raw[4:]
    return inputs


_Behaviour = Callable[[FakeTriton, Any], Awaitable[None]]


def _fail(status: grpc.StatusCode, message: str) -> _Behaviour:
    async def behave(triton: FakeTriton, context: Any) -> None:
        await context.abort(status, message)

    return behave


async def _wait(triton: FakeTriton, context: Any) -> None:
    await triton.release.wait()


_BEHAVIOURS: dict[str, _Behaviour] = {
    "wait": _wait,
    "queue full": _fail(
        grpc.StatusCode.UNAVAILABLE, "in ensemble 'e', [request id: 1] Exceeds maximum queue size"
    ),
    "queue timeout": _fail(grpc.StatusCode.UNAVAILABLE, "Request timeout expired"),
    "stub died": _fail(grpc.StatusCode.INTERNAL, "Stub process 'secret-library' is not healthy"),
    "not ready": _fail(
        grpc.StatusCode.UNAVAILABLE, "Request for unknown model: 'm' is not ready: unloaded"
    ),
}


async def _run(port: int) -> None:
    triton = FakeTriton()
    await triton.start(port)
    print(triton.port, flush=True)  # noqa: T201 - tells the parent
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1])))
