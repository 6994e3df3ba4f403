"""The gRPC client of Triton.

It speaks through the protocol classes of `tritonclient`, but builds its messages itself (decision
1), and sends them itself (decision 33).
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from google.protobuf.message import DecodeError
from tritonclient.grpc import model_config_pb2, service_pb2

from gateway.errors import BackendError, GatewayError
from gateway.grpc_client.channel import Channel
from gateway.grpc_client.errors import RpcError
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import current_span
from gateway.triton.backend import ServedModel
from gateway.triton.faults import to_gateway_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.triton.backend import Row

_LENGTH: Final = struct.Struct("<I")  # before each element of a BYTES tensor
_ENVELOPE_BYTES: Final = 64 * 1024  # names, shapes and ids around the tensors
_ENVELOPES: Final = 256
_SERVICE: Final = "/inference.GRPCInferenceService/"
_INFER: Final = _SERVICE + "ModelInfer"
_BYTES: Final = 2  # wire type: the content comes after its length
_CONTENT_TAG: Final = bytes(
    [service_pb2.ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER << 3 | _BYTES]
)
_MAX_RECEIVED_BYTES: Final = 16 * 1024 * 1024
_FP32: Final = np.dtype("<f4")


@lru_cache(maxsize=_ENVELOPES)
def _envelope(model: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> bytes:
    """Returns what all requests of a kind have in common, encoded."""
    request = service_pb2.ModelInferRequest(model_name=model)
    for name in inputs:
        request.inputs.add(name=name, datatype="BYTES", shape=(1, 1))  # batch, elements
    for name in outputs:
        request.outputs.add(name=name)
    return bytes(request.SerializeToString())


def _encode(envelope: bytes, request_id: str, inputs: Mapping[str, bytes]) -> list[bytes]:
    """Returns the pieces of a `ModelInferRequest`, with no copy of the inputs.

    In protobuf's encoding a message that follows another is merged with it, and so is a field.
    """
    parts = [envelope, service_pb2.ModelInferRequest(id=request_id).SerializeToString()]
    for content in inputs.values():
        length = len(content)
        parts += (_CONTENT_TAG, _varint(_LENGTH.size + length), _LENGTH.pack(length), content)
    return parts


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


class TritonBackend:
    """An `InferenceBackend` over Triton's gRPC protocol. Must be made inside the event loop.

    Args:
        address: `host:port` of one server.
        max_request_bytes: largest sum of the inputs of one call.
    """

    def __init__(self, address: str, *, max_request_bytes: int) -> None:
        self._channel = Channel(
            address,
            max_sent_bytes=max_request_bytes + _ENVELOPE_BYTES,
            max_received_bytes=_MAX_RECEIVED_BYTES,
        )

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, bytes],
        outputs: Sequence[str],
        *,
        timeout_s: float,
        request_id: str,
    ) -> Mapping[str, Row]:
        """Runs one item through a model, within the trace of the current span.

        See `InferenceBackend.infer`.
        """
        request = _encode(_envelope(model, tuple(inputs), tuple(outputs)), request_id, inputs)
        span = current_span()
        try:
            answer = await self._channel.call(
                _INFER, request, timeout_s=timeout_s, metadata=span.headers or ()
            )
        except RpcError as error:
            span.note({names.RPC_STATUS: error.status.name})
            raise to_gateway_error(error) from error
        response = _decode(service_pb2.ModelInferResponse, answer)
        span.note({names.RPC_STATUS: "OK"})
        if len(response.outputs) != len(response.raw_output_contents):
            raise BackendError(f"{model}: outputs without raw contents")
        rows: dict[str, Row] = {}
        for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
            if output.datatype != "FP32" or len(raw) % _FP32.itemsize:
                raise BackendError(f"{model}: output {output.name} is not FP32")
            rows[output.name] = np.frombuffer(raw, _FP32)  # (1, n) -> (n,)
        return rows

    async def is_server_ready(self, *, timeout_s: float) -> bool:
        """Whether Triton says it is ready; False too when it cannot be reached."""
        try:
            response = await self._call(
                "ServerReady",
                service_pb2.ServerReadyRequest(),
                service_pb2.ServerReadyResponse,
                timeout_s,
            )
        except GatewayError:
            return False
        return bool(response.ready)

    async def ready_models(self, *, timeout_s: float) -> Sequence[str]:
        """Names of the models that are ready to infer."""
        index = await self._call(
            "RepositoryIndex",
            service_pb2.RepositoryIndexRequest(ready=True),
            service_pb2.RepositoryIndexResponse,
            timeout_s,
        )
        return sorted({each.name for each in index.models if each.state == "READY"})

    async def model(self, name: str, *, timeout_s: float) -> ServedModel:
        """Reads a model's configuration."""
        config = await self._config(name, timeout_s)
        return ServedModel(
            {key: str(value.string_value) for key, value in config.parameters.items()},
            {each.name: int(each.dims[-1]) for each in config.output if each.dims},
        )

    async def step_devices(self, ensemble: str, *, timeout_s: float) -> frozenset[str]:
        """Where the native steps of an ensemble run. See `InferenceBackend.step_devices`."""
        whole = await self._config(ensemble, timeout_s)
        devices: set[str] = set()
        for step in whole.ensemble_scheduling.step:
            config = await self._config(step.model_name, timeout_s)
            if config.backend == "python":
                continue
            for group in config.instance_group:
                # Triton answers with what KIND_AUTO has become on this machine.
                is_gpu = group.kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
                devices.add("gpu" if is_gpu else "cpu")
        return frozenset(devices)

    async def close(self) -> None:
        """Closes the channel; calls in flight fail."""
        await self._channel.close()

    async def _config(self, model: str, timeout_s: float) -> Any:  # noqa: ANN401 - untyped messages
        response = await self._call(
            "ModelConfig",
            service_pb2.ModelConfigRequest(name=model),
            service_pb2.ModelConfigResponse,
            timeout_s,
        )
        return response.config

    async def _call(self, method: str, request: Any, response: Any, timeout_s: float) -> Any:  # noqa: ANN401 - untyped messages
        try:
            answer = await self._channel.call(
                _SERVICE + method, [request.SerializeToString()], timeout_s=timeout_s
            )
        except RpcError as error:
            raise to_gateway_error(error) from error
        return _decode(response, answer)


def _decode(kind: Any, message: bytes) -> Any:  # noqa: ANN401 - untyped messages
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise BackendError(f"no {kind.DESCRIPTOR.name}: {error}") from error
